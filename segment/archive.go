package segment

// ArchiveName is the name of the object by which an archive of segments is known. No store
// has a file of that name: a folder that holds it is an archive, and the segments in the
// folders below it make up no store that could be opened as it stands.
const ArchiveName = "varve-archive.json"
