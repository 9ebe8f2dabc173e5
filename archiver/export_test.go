package archiver

// OpenDirFS is openDirFS, for tests that cut its power.
var OpenDirFS = openDirFS
