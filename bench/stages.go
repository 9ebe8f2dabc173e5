package main

import "time"

// trusting returns the experiments on package integrity.
func trusting(l limits) []experiment {
	return []experiment{
		{name: "integrity/open", act: actLevels(l.gb)},
		{name: "integrity/check", act: actCheck(l.gb)},
		{name: "integrity/growth: open, check", act: actLinear(l.gb, openAndCheck)},
		{name: "integrity/growth: table", act: actLinear(l.gb, repairTable)},
		{name: "integrity/growth: heal", act: actLinear(l.gb, repairCopy)},
	}
}

// archiving returns the experiments on package archiver.
func archiving(l limits) []experiment {
	return []experiment{
		{name: "archive/ship/dir", act: actShipDir(l.gb / 4)},
		{name: "archive/ship/s3", act: actShipS3(l.gb / 4)},
		{name: "archive/ship/large segments", act: actShipLarge(l.gb / 2)},
		{name: "archive/restore", act: actRestore(l.gb / 4)},
		{name: "archive/incremental", act: actIncremental(l.gb)},
		{name: "archive/one object", act: actInPlace(l.gb)},
		{name: "archive/beside/buffered", act: actBeside(l.gb, false, l.writing())},
		{name: "archive/beside/synced", act: actBeside(l.gb, true, l.writing())},
		{name: "archive/catalog/dir", act: actCatalog(l.gb, false)},
		{name: "archive/catalog/s3", act: actCatalog(l.gb, true)},
		{name: "many segments", act: actMany(l.gb)},
	}
}

// writing is how long writers are watched.
func (l limits) writing() time.Duration { return max(l.loop/2, l.timed) }
