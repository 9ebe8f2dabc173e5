package backup

import "github.com/varve-db/varve/segment"

// What has to be done about a backup.
const (
	// AuditIt is for an object that is not what its receipt says: audit.Run compares all of
	// them.
	AuditIt segment.Remedy = "an audit of the archive tells more"

	// VerifyData is for a copy that is not what was backed up: Verify with VerifyOptions.Data.
	VerifyData segment.Remedy = "verify every byte of the backup, which finds the segment"
)
