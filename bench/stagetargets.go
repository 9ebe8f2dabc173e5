package main

// growthMost is how much more a byte of a store may cost than a byte of a store of a quarter of
// its size, if work is to count as linear.
const growthMost = 1.25

// trustTargets are those of package integrity.
func trustTargets() []goal {
	all := []goal{
		{title: "open at tail, of that at none", name: "integrity/open", metric: "tail of none", unit: ratio, most: 1.05},
		{title: "what log adds to an open, per 64 MiB of the newest log", name: "integrity/open", metric: "log per 64 MiB", unit: seconds, most: 0.1},
		{title: "memory of full beyond the open store", name: "integrity/open", metric: "peak of full, beyond, own", unit: size, most: 64 << 20},
		{title: "check in full, from the page cache", name: "integrity/check", metric: "warm", unit: flow, of: hashing, times: 0.8},
		{title: "check in full, from a cold disk", name: "integrity/check", metric: "cold", unit: flow, of: plainly, times: 0.9},
	}
	for _, g := range []struct{ title, name, metric string }{
		{"open", "integrity/growth: open, check", "open"},
		{"check in full", "integrity/growth: open, check", "check"},
		{"repair of a table", "integrity/growth: table", "table"},
		{"repair from a copy", "integrity/growth: heal", "heal"},
	} {
		all = append(all, goal{title: g.title + ": time for a byte, of that in a store of a quarter", name: g.name,
			metric: g.metric + ", growth", unit: ratio, most: growthMost})
	}
	for i := range all {
		all[i].scale, all[i].full = "GB", fullGB
	}
	return all
}

// archiveTargets are those of package archiver.
func archiveTargets() []goal {
	all := []goal{
		{title: "ship to a folder", name: "archive/ship/dir", metric: "rate", unit: flow, of: copying, times: 0.8},
		{title: "… memory", name: "archive/ship/dir", metric: "peak", unit: size, most: 64 << 20},
		{title: "… memory, large segments", name: "archive/ship/large segments", metric: "peak", unit: size, most: 64 << 20},
		{title: "ship to S3 on loopback", name: "archive/ship/s3", metric: "rate", unit: flow, of: uploading, times: 0.8},
		{title: "restore from a folder", name: "archive/restore", metric: "rate", unit: flow, of: copying, times: 0.8},
		{title: "… records that its open replays, of all", name: "archive/restore", metric: "replayed", unit: share, most: 1e-4},
	}
	for _, m := range []struct {
		title, metric string
		most          float64
	}{{"time", "seconds", 0.2}, {"bytes read", "read", 0.01}, {"bytes written", "written", 0.01}} {
		all = append(all, goal{title: "backup of 64 MiB more, in a store and in one of 8 times its size: " + m.title + " apart",
			name: "archive/incremental", metric: m.metric + ", apart", unit: share, most: m.most, scale: "GB", full: 8})
	}
	all = append(all,
		goal{title: "one object of 1 KiB in place, S3 on loopback, cold", name: "archive/one object", metric: "seconds", unit: seconds, most: 2, scale: "GB", full: 8},
		goal{title: "… bytes read, of the archive's", name: "archive/one object", metric: "share", unit: share, most: 0.01, scale: "GB", full: 8})
	for _, mode := range []string{"buffered", "synced"} {
		all = append(all,
			goal{title: "puts, " + mode + ", beside the archiver at 50 MB/s, of those alone: rate", name: "archive/beside/" + mode, metric: "rate of alone", unit: ratio, least: 0.9},
			goal{title: "… 99.9th percentile", name: "archive/beside/" + mode, metric: "p99.9 of alone", unit: ratio, most: 2})
	}
	for _, place := range []string{"dir", "s3"} {
		for _, op := range []string{"list", "create", "prune"} {
			all = append(all, goal{title: "backup " + op + ", 1,000 backups over 100,000 segments, " + place, name: "archive/catalog/" + place,
				metric: op, unit: seconds, most: 2, scale: "segments", full: fullSegments})
		}
	}
	return append(all, goal{title: "… requests of all three, for a segment", name: "archive/catalog/s3", metric: "requests for a segment",
		unit: plain, most: 0.05, scale: "segments", full: fullSegments})
}
