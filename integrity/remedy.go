package integrity

import "github.com/varve-db/varve/segment"

// What has to be done about damage in a store: the values of Finding.Next and
// CorruptError.Next that a program can act on. Other values say in words what a person has to
// look at.
const (
	// MakeRepair is a repair without another copy: what the store holds is enough, or the repair says
	// what it lacks.
	MakeRepair segment.Remedy = "repair the store from what it holds"

	// RepairFromCopy is a repair with repair.Options.From.
	RepairFromCopy segment.Remedy = "repair the store from another copy of it, or from its archive"

	// SalvageRest gives up what no copy has, and saves the rest to a new store.
	SalvageRest segment.Remedy = "save to a new store what can be read"

	// CheckStore asks for a check, which finds all that is damaged.
	CheckStore segment.Remedy = "check the store, which finds the place"

	// DoNothing is for damage that the store does not depend on.
	DoNothing segment.Remedy = "nothing needs to be done"
)

// RemedyFor returns what has to be done first about a finding of a kind.
func RemedyFor(k Kind) segment.Remedy {
	switch k {
	case DamagedTable, WrongTable, Contradiction:
		return MakeRepair
	case NewerVersion:
		return segment.UseNewer
	}
	return RepairFromCopy
}
