package target

import (
	"context"
	"iter"
	"strings"
)

// TopNames returns the names at the top of a target, in no order. It ends with the first one for
// which stop holds.
func TopNames(ctx context.Context, t Target, stop func(name string) bool) (names []string, err error) {
	if p, ok := t.(*retrying); ok {
		err := p.ask(ctx, func(ctx context.Context, _ *watch) error {
			names, err = TopNames(ctx, p.Target, stop)
			return err
		})
		return names, err
	}
	top := listedTop(ctx, t)
	if r, ok := t.(Topped); ok {
		top = r.Top(ctx)
	}
	for name, err := range top {
		if err != nil {
			return nil, err
		}
		if names = append(names, name); stop(name) {
			break
		}
	}
	return names, nil
}

// listedTop is Topped.Top for a target that only lists its objects.
func listedTop(ctx context.Context, t Target) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for after := ""; ; {
			name, err := FirstName(ctx, t, "", after)
			if err == nil && name == "" {
				return
			}
			folder, _, deep := strings.Cut(name, "/")
			if !yield(folder, err) || err != nil {
				return
			}
			if after = name; deep {
				after = AfterFolder(folder)
			}
		}
	}
}

// FirstName returns the first name with a prefix that is greater than after, or "".
func FirstName(ctx context.Context, t Target, prefix, after string) (string, error) {
	for info, err := range t.List(ctx, prefix, after) {
		return info.Name, err
	}
	return "", nil
}

// AfterFolder is greater than every name in the folder, and less than every name
// that is greater than the folder's own.
func AfterFolder(folder string) string { return folder + "/~" }
