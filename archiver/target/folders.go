package target

import "context"

// Foldered is an optional interface of a Target: it lists the folders of an archive without
// what is in them.
type Foldered interface {
	Target

	// Folders returns, in order, the parts of names between a prefix, which is empty or
	// ends in a slash, and the next slash. A folder that is empty may be among them.
	Folders(ctx context.Context, prefix string) ([]string, error)
}

// AsFoldered returns a target as a Foldered, if it is one.
func AsFoldered(t Target) (Foldered, bool) {
	if p, ok := t.(*retrying); ok {
		f, ok := p.Target.(Foldered)
		return retryingFolders{p, f}, ok
	}
	f, ok := t.(Foldered)
	return f, ok
}

// retryingFolders is a retrying target that is Foldered, too.
type retryingFolders struct {
	*retrying
	inner Foldered
}

// Folders implements Foldered.
func (p retryingFolders) Folders(ctx context.Context, prefix string) (names []string, err error) {
	err = p.ask(ctx, func(ctx context.Context, _ *watch) error {
		names, err = p.inner.Folders(ctx, prefix)
		return err
	})
	return names, err
}
