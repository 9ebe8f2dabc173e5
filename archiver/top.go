package archiver

import (
	"context"
	"iter"
	"strings"
)

// topNames returns the names at the top of a target, in no order, up to one for which stop
// holds, which is then the last.
func topNames(ctx context.Context, t Target, stop func(name string) bool) (names []string, err error) {
	if p, ok := t.(*patient); ok {
		err := p.ask(ctx, func(ctx context.Context, _ *watch) error {
			names, err = topNames(ctx, p.Target, stop)
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
			name, err := firstName(ctx, t, "", after)
			if err == nil && name == "" {
				return
			}
			folder, _, deep := strings.Cut(name, "/")
			if !yield(folder, err) || err != nil {
				return
			}
			if after = name; deep {
				after = afterFolder(folder)
			}
		}
	}
}

// firstName returns the first name with a prefix that is greater than after, or "".
func firstName(ctx context.Context, t Target, prefix, after string) (string, error) {
	for info, err := range t.List(ctx, prefix, after) {
		return info.Name, err
	}
	return "", nil
}

// afterFolder is greater than every name in the folder, and less than every name
// that is greater than the folder's own.
func afterFolder(folder string) string { return folder + "/~" }
