package restore

import (
	"testing"

	"github.com/varve-db/varve/segment"
)

func TestRecordsAreTheSameByAllThatTheySay(t *testing.T) {
	base := segment.Record{Kind: segment.Put, Flags: segment.FlagCommit, Seq: 7, Time: 3, Expiry: 9,
		Key: []byte("k"), Meta: []byte("m"), Slots: []byte("s"), Value: []byte("v")}
	moved := base
	moved.Offset, moved.Vouch, moved.Flags, moved.Time = 99, 5, segment.FlagVouch, 4
	if !sameRecord(&base, &moved) {
		t.Error("a record that was taken over is another")
	}
	for what, change := range map[string]func(*segment.Record){
		"seq":    func(r *segment.Record) { r.Seq++ },
		"kind":   func(r *segment.Record) { r.Kind = segment.Delete },
		"flags":  func(r *segment.Record) { r.Flags |= segment.FlagExpiry },
		"expiry": func(r *segment.Record) { r.Expiry++ },
		"key":    func(r *segment.Record) { r.Key = []byte("K") },
		"meta":   func(r *segment.Record) { r.Meta = nil },
		"slots":  func(r *segment.Record) { r.Slots = []byte("S") },
		"value":  func(r *segment.Record) { r.Value = []byte("vv") },
	} {
		other := base
		change(&other)
		if sameRecord(&base, &other) {
			t.Errorf("another %s makes no difference", what)
		}
	}
}
