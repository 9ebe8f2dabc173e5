package crashfs

// DataKind says what a power cut leaves of the bytes that were not synced.
type DataKind int

// The kinds of data. "Order" is that of the operations, over all files.
const (
	DataNone        DataKind = iota // nothing
	DataAll                         // everything
	DataPrefix                      // every write up to some point in the order
	DataTornByte                    // up to a point, the write there torn at a byte
	DataTornSector                  // up to a point, the write there torn at a multiple of 512
	DataSectors                     // each sector by itself; the file ends with the last one kept
	DataZeroed                      // each sector by itself; zeros in the grown file where one was lost
	DataGarbled                     // each sector by itself; garbage where one was lost
	DataStale                       // each sector by itself; blocks of freed files where one was lost
	DataSizeZeros                   // the length, over zeros
	DataSizeGarbage                 // the length, over garbage
	DataSizeStale                   // the length, over blocks of freed files
	DataMixed                       // any of the others for each file, and any length between
)

var dataNames = []string{"no data", "all data", "data in order to a point", "torn at a byte", "torn at a sector",
	"sectors lost", "sectors lost, zeros", "sectors lost, garbage", "sectors lost, stale blocks",
	"size over zeros", "size over garbage", "size over stale blocks", "mixed data"}

// String returns the name that messages have.
func (k DataKind) String() string { return dataNames[k] }

// NameKind says what a power cut leaves of the names that were not synced.
type NameKind int

// The kinds of names.
const (
	NamesNone   NameKind = iota // nothing
	NamesAll                    // everything
	NamesPrefix                 // every change up to some point in their order
	NamesEach                   // each change by itself
)

var nameNames = []string{"no names", "all names", "names in order to a point", "each name by itself"}

// String returns the name that messages have.
func (k NameKind) String() string { return nameNames[k] }

// Kind is a kind of state after a power cut.
type Kind struct {
	Data  DataKind
	Names NameKind
}

// String returns the name that messages have.
func (k Kind) String() string { return k.Data.String() + ", " + k.Names.String() }

// fixed reports whether a seed makes no difference.
func (k Kind) fixed() bool {
	return (k.Data <= DataAll || k.Data == DataSizeZeros) && k.Names <= NamesAll
}

// Kinds is every kind: each of the data with each of the names.
var Kinds = allKinds()

func allKinds() (kinds []Kind) {
	for names := range NamesEach + 1 {
		for data := range DataMixed + 1 {
			kinds = append(kinds, Kind{data, names})
		}
	}
	return kinds
}
