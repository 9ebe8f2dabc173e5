package archiver

import "path/filepath"

// ReceiptsDir is the path of the folder that the store in the folder dir has for its archiver.
func ReceiptsDir(dir string) string { return filepath.Join(dir, "receipts") }
