package audit

import "github.com/varve-db/varve/segment"

// What has to be done about a finding, beside archive.PutBack.
const (
	Ship        segment.Remedy = "have the archiver ship it"
	SealAndShip segment.Remedy = "have the writer seal it, and the archiver ship it"

	// AskByShipping and AskByRepair are for an object that is there without a sound receipt.
	AskByShipping segment.Remedy = "ship again, which asks the archive for the object and writes the receipt"
	AskByRepair   segment.Remedy = "repair the archive, which asks for the object and writes the receipt"

	// ReadAll is for an object without a receipt, of a segment that the store does not have: an
	// audit with Options.Data reads it.
	ReadAll segment.Remedy = "the store does not have the segment any more, so there is nothing to compare the object with; an audit that reads every byte proves it by its own checksums"

	// AcceptGap is for a segment that is in neither store nor archive: archive.Archive.AcceptGap
	// records that it is lost.
	AcceptGap segment.Remedy = "bring the segment back from a copy of the store; or accept the loss"

	// RepairStore takes the store's segment from the archive.
	RepairStore segment.Remedy = "check the store, and repair it from the archive"

	// LookAtFiles, LookAtBoth and LookAndMove ask a person to look.
	LookAtFiles segment.Remedy = "check the store, and look at the object"
	LookAtBoth  segment.Remedy = "look at both; one of them does not belong here"
	LookAndMove segment.Remedy = "find out what it is, and move it out of the archive"

	// RepairAgain is for a repair of the archive that failed.
	RepairAgain segment.Remedy = "repair the archive again"
)
