package archive

// What the tests of this package, which use a simulated archive, have to know.
const (
	ListPart     = listPart
	ListParallel = listParallel
)
