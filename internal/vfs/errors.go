package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotRegular is returned by Open, OpenWrite and Lock for a name that is a
// folder, a symbolic link, or anything else that is not a regular file.
var ErrNotRegular = errors.New("not a regular file")

// ErrDangling is wrapped by the error for an FS's own folder that is a symbolic link
// to nothing. The error wraps fs.ErrNotExist, too.
var ErrDangling = errors.New("a symbolic link to what is not there")

// IsDiskFull reports whether err says that there is no room: the file system
// is full, or the user's quota is used up. Room may be made, and the call
// repeated. A file that may not grow (EFBIG, by ulimit -f) is not a full disk:
// no room that anybody makes will let the call pass.
func IsDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// IsTooManyFiles reports whether err says that the process, or the system, has
// no file descriptors left.
func IsTooManyFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// notRegular names what stands at path.
func notRegular(path string, mode fs.FileMode) error {
	err := ErrNotRegular
	switch {
	case mode.IsDir():
		err = fmt.Errorf("%w: a folder", err)
	case mode&fs.ModeSymlink != 0:
		err = fmt.Errorf("%w: a symbolic link", err)
	}
	return &fs.PathError{Op: "open", Path: path, Err: err}
}

// linkError tells a file system without hard links, which says EPERM on Linux,
// from a file that may not be linked. A file that this process made may be linked, so EPERM means the
// former.
func linkError(err error) error {
	le, ok := errors.AsType[*os.LinkError](err)
	if ok && (errors.Is(le.Err, syscall.EPERM) || errors.Is(le.Err, ErrUnsupported)) {
		le.Err = fmt.Errorf("%w: the file system has no hard links", ErrUnsupported)
	}
	return err
}

// explain adds to "file too large" what it may come from, since a user who
// sees it on a small file on an empty disk would not know.
func explain(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, syscall.EFBIG) {
		return &fs.PathError{Op: pe.Op, Path: pe.Path,
			Err: fmt.Errorf("%w: over the process's limit (ulimit -f) or the file system's", pe.Err)}
	}
	return err
}

// IsAbsent reports whether err says that there is no such object: also where a
// folder of its name is a file.
func IsAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// IgnoreAbsent leaves out the error for a file that is not there.
func IgnoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// IsDenied reports whether err says that the user may not do this.
func IsDenied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}
