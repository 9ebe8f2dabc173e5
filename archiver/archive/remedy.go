package archive

import "github.com/varve-db/varve/segment"

// What has to be done about an archive.
const (
	// PutBack is for an object that is lost or damaged: audit.Repair puts it back from the store.
	PutBack segment.Remedy = "repair the archive, which puts it back from the store"

	// ListBackups shows which backups there are.
	ListBackups segment.Remedy = "list the backups"
)
