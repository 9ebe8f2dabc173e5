package target

import "context"

// Foldered is a Target that tells the folders of an archive without listing what is in
// them. It is made use of where there is one.
type Foldered interface {
	Target

	// Folders returns, in order, the parts of names between a prefix, which is empty or
	// ends in a slash, and the next slash. A folder that is empty may be among them.
	Folders(ctx context.Context, prefix string) ([]string, error)
}

// AsFoldered returns a target as what tells its folders, if it is.
func AsFoldered(t Target) (Foldered, bool) {
	if p, ok := t.(*retrying); ok {
		f, ok := p.Target.(Foldered)
		return retryingFolders{p, f}, ok
	}
	f, ok := t.(Foldered)
	return f, ok
}

// retryingFolders is a patient target that tells its folders.
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
