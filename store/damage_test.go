package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/varve-db/varve/integrity"
	"github.com/varve-db/varve/internal/crashfs"
	"github.com/varve-db/varve/segment"
)

// TestDamage injures small stores in every place: each byte flipped, each file
// cut at every length and removed, each sector zeroed or replaced by another.
// The damage is found, or without effect: no value is wrong or old, nothing is
// lost in silence. VARVE_DAMAGE=all takes every place, otherwise a share is
// drawn; VARVE_DAMAGE_SEED begins with another seed.
func TestDamage(t *testing.T) {
	seed := uint64(number(t, "VARVE_DAMAGE_SEED", 1))
	share := 300
	switch {
	case os.Getenv("VARVE_DAMAGE") == "all":
		share = 1
	case testing.Short():
		share = 1000
	}
	for _, sc := range scenes(t) {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel() // each open waits for its goroutines more than it works
			d := &damages{scene: sc, t: t, seed: seed, share: share, tally: map[string]int{}}
			d.sound()
			for _, name := range sc.fs.Names() {
				d.injure(name)
			}
			t.Logf("%v", d.tally)
		})
	}
}

// damages injures one store.
type damages struct {
	*scene
	t     *testing.T
	seed  uint64
	share int // one in so many places
	tally map[string]int
}

// sound makes sure that the store without any damage is what it should be.
func (d *damages) sound() {
	if err := d.try(injury{what: "nothing"}); err != nil {
		d.t.Fatal(err)
	}
	size := 0
	for _, b := range files(d.fs) {
		size += len(b)
	}
	if size < 50<<10 || size > 90<<10 || len(d.log) < 10 {
		d.t.Errorf("the store has %d bytes and %d records in the newest log", size, len(d.log))
	}
}

// injury is what was done to one file.
type injury struct {
	what  string
	file  string
	bytes []byte // what it holds now; nil: it was removed
}

// injure does everything to one file.
func (d *damages) injure(name string) {
	was := d.fs.Bytes(name)
	rng := seeded(d.seed)
	skip := func() bool { return rng.IntN(d.share) != 0 }
	do := func(what string, b []byte) {
		if err := d.try(injury{what, name, b}); err != nil {
			d.t.Errorf("%s, %s %s: %v\nrun VARVE_DAMAGE_SEED=%d go test ./store -run 'TestDamage/%s'", d.name, name, what, err, d.seed, d.name)
		}
	}
	changed := func(at int, b ...byte) []byte {
		c := append([]byte(nil), was...)
		copy(c[at:], b)
		return c
	}
	do("removed", nil)
	for at := range was {
		bit := byte(1) << rng.IntN(8)
		if rng.IntN(4) == 0 {
			bit = byte(1 + rng.IntN(255))
		}
		if !skip() && !d.t.Failed() {
			do(fmt.Sprintf("with byte %d changed by %#x", at, bit), changed(at, was[at]^bit))
		}
		if !skip() && !d.t.Failed() {
			do(fmt.Sprintf("cut to %d bytes", at), was[:at])
		}
	}
	const sector = 512
	for at := 0; at < len(was) && !d.t.Failed(); at += sector {
		n := min(sector, len(was)-at)
		do(fmt.Sprintf("with the sector at %d zeroed", at), changed(at, make([]byte, n)...))
		other := d.fs.Bytes(d.fs.Names()[rng.IntN(len(d.fs.Names()))])
		for to := 0; to < len(was); to += sector {
			if m := min(n, len(was)-to); to > at && m == n && !skip() {
				b := changed(at, was[to:to+n]...)
				copy(b[to:], was[at:at+n])
				do(fmt.Sprintf("with the sectors at %d and %d exchanged", at, to), b)
			}
		}
		if len(other) > 0 {
			from := rng.IntN(len(other)/sector+1) * sector
			do(fmt.Sprintf("with the sector at %d taken from another file at %d", at, from), changed(at, other[from:min(from+n, len(other))]...))
		}
	}
}

// try injures a copy of the store, and opens it for writing and for reading.
func (d *damages) try(i injury) error {
	fsys := d.fs.Clone()
	switch {
	case i.file == "":
	case i.bytes == nil:
		if err := fsys.Remove(i.file); err != nil {
			return err
		}
	default:
		fsys.SetBytes(i.file, i.bytes)
	}
	watch := time.AfterFunc(30*time.Second, func() { panic(fmt.Sprintf("%s, %s %s: hangs", d.name, i.file, i.what)) })
	defer watch.Stop()
	before := files(fsys)
	r, err := openReader(fsys, d.opt)
	if err = d.judge(i, r, err); err != nil {
		return fmt.Errorf("read-only: %w", err)
	}
	if err := unchanged(fsys, before); err != nil {
		return fmt.Errorf("read-only: %w", err)
	}
	opt := d.opt
	opt.Integrity = integrity.None
	r, err = openReader(fsys, opt)
	if err = d.judge(i, r, err); err != nil {
		return fmt.Errorf("read-only, level none: %w", err)
	}
	db, err := openFS(fsys, d.opt)
	if err != nil {
		if err := unchanged(fsys, before); err != nil {
			return fmt.Errorf("an open that failed: %w", err)
		}
	}
	return d.judge(i, db, err)
}

func unchanged(fsys *crashfs.FS, before map[string]string) error {
	after := files(fsys)
	for name, b := range before {
		if a, there := after[name]; !there || a != b {
			return fmt.Errorf("changed %s", name)
		}
	}
	if len(after) != len(before) {
		return errors.New("made files")
	}
	return nil
}

// judge decides whether an open is right about an injury.
func (d *damages) judge(i injury, r interface {
	reading
	Close() error
}, err error) error {
	if err != nil && i.file == segment.LockName {
		return fmt.Errorf("what stands in %s only adds proof: %w", i.file, err)
	}
	want, durable, undecided, lost := d.expect(i)
	_, reads := r.(*Reader)
	if lost && !reads && err == nil {
		return errors.New("nothing is there of the newest log, though it was closed, and it was opened")
	}
	if lost && reads && err == nil {
		// A reader shows what came before, and says so; the writer refuses.
		want, undecided = d.before(d.ended), true
		if notes := r.OpenReport().Notes; len(notes) != 1 || !strings.Contains(notes[0], "lost") {
			return fmt.Errorf("the newest log is lost, and the report says %v", notes)
		}
	}
	if err != nil {
		if undecided && errors.Is(err, ErrMissing) && d.editLost(i) {
			undecided = false // it must be refused: what the edit retired is not there any more
		}
		if undecided {
			return fmt.Errorf("this is a torn tail, and it was refused: %w", err)
		}
		if i.file == "" || !named(err) {
			return fmt.Errorf("not an error that says what happened: %w", err)
		}
		d.tally["found by the open"]++
		return nil
	}
	rep := r.OpenReport()
	got, bad, err := survivors(r)
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err != nil:
		return err
	case durable && rep.Asked != integrity.None:
		return errors.New("the durable part of the newest log is damaged, and it was opened")
	case undecided && rep.Cut == nil && rep.Clean && !closedBefore(i):
		return errors.New("a torn tail that the report does not state")
	}
	for k, o := range want {
		g, there := got[k]
		if bad[k] {
			continue
		}
		if !there {
			return fmt.Errorf("%s is lost in silence; want %s", k, brief(o))
		}
		if !sameObject(o, g) {
			return fmt.Errorf("%s is %s; want %s", k, brief(g), brief(o))
		}
		delete(got, k)
	}
	for k := range got {
		return fmt.Errorf("%s is back, though it was deleted", k)
	}
	switch {
	case undecided:
		d.tally["torn tail"]++
	case len(bad) > 0:
		d.tally["found by a read"]++
	default:
		d.tally["no effect"]++
	}
	return nil
}

// closedBefore reports whether a log was cut exactly where an earlier close had
// ended it: then it is, byte for byte, the log as that close left it.
func closedBefore(i injury) bool {
	size := int64(len(i.bytes))
	r, err := segment.NewReader(bytes.NewReader(i.bytes), size)
	if err != nil || !strings.HasPrefix(i.what, "cut") {
		return false
	}
	rec, err := r.RecordAt(size-segment.CloseSize, size)
	return err == nil && rec.Kind == segment.Close
}

// named reports whether an error is one of those that damage may have.
func named(err error) bool {
	return isDamage(err) || errors.Is(err, ErrMissing) || errors.Is(err, ErrLostLog) || errors.Is(err, ErrVersion) ||
		errors.Is(err, ErrNotStore) || errors.Is(err, fs.ErrNotExist)
}

// survivors reads all; bad are the keys whose objects are damaged.
func survivors(r reading) (got contents, bad map[string]bool, err error) {
	got, bad = contents{}, map[string]bool{}
	s, err := r.Snapshot()
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	for o, err := range s.Scan(Range{}) {
		v, getErr := r.Get(o.Key)
		if (err == nil) != (getErr == nil) || err == nil && string(v) != string(o.Value) {
			return nil, nil, fmt.Errorf("get and scan differ for %s: %v, %v", o.Key, err, getErr)
		}
		if err != nil {
			if !isDamage(err) {
				return nil, nil, fmt.Errorf("%s: %w", o.Key, err)
			}
			bad[string(o.Key)] = true
			continue
		}
		got[string(o.Key)] = Object{Value: append([]byte(nil), o.Value...), Meta: append([]byte(nil), o.Meta...), Content: o.Content, Seq: o.Seq}
	}
	return got, bad, nil
}

// expect computes from the file what an open must find: the contents, if it
// finds any, and whether the durable part of the newest log is damaged, so that
// it must fail, or what is damaged looks like a torn tail, so that it must not; or whether
// nothing is there any more of a newest log that is known to have been begun.
func (d *damages) expect(i injury) (want contents, durable, undecided, lost bool) {
	if i.file != d.newest || i.bytes == nil {
		return d.track.after(len(d.track.steps)), false, false, i.file == d.newest
	}
	was := d.fs.Bytes(i.file)
	first := int64(len(was))
	for at := range was {
		if at >= len(i.bytes) || was[at] != i.bytes[at] {
			first = int64(at)
			break
		}
	}
	if first == int64(len(was)) {
		return d.track.after(len(d.track.steps)), false, false, false
	}
	vouched, last := int64(0), d.ended
	for n := range d.log {
		rec := &d.log[n]
		end := rec.Offset + rec.Size
		intact := end <= int64(len(i.bytes)) && string(was[rec.Offset:end]) == string(i.bytes[rec.Offset:end])
		if intact && rec.Vouches() {
			vouched = max(vouched, rec.Vouch)
		}
		if end <= first && rec.Commit() {
			last = d.lastSeq(n)
		}
	}
	closed := d.closed()
	if first < d.hdrSize && closed > 0 && first >= vouched && d.hdr.Replaced == (segment.Ref{}) && d.hdr.Ref.ID != 1 {
		return d.before(d.ended), false, true, true
	}
	if first < vouched || first < closed || first < d.hdrSize && d.hdr.Replaced != (segment.Ref{}) || first < d.hdrSize && d.hdr.Ref.ID == 1 {
		return d.track.after(len(d.track.steps)), true, false, false
	}
	return d.before(last), false, true, false
}

// closed returns up to where the witness of a close says that the newest log was on the
// disk; zero: it does not.
func (d *damages) closed() int64 {
	b := d.fs.Bytes(segment.LockName)
	if len(b) < segment.WitnessOffset+segment.WitnessSize {
		return 0
	}
	w, err := segment.ParseWitness(b[segment.WitnessOffset:][:segment.WitnessSize])
	if err != nil || w == nil || w.Ref != d.hdr.Ref {
		return 0
	}
	return w.Offset
}

// editLost reports whether a cut took an edit from the newest log.
func (d *damages) editLost(i injury) bool {
	for _, rec := range d.log {
		if rec.Kind == segment.Edit {
			return int64(len(i.bytes)) < rec.Offset+rec.Size
		}
	}
	return false
}

// before returns the contents up to a sequence number.
func (d *damages) before(last uint64) contents {
	n := 0
	for n < len(d.track.steps) && d.track.steps[n].seq <= last {
		n++
	}
	return d.track.after(n)
}

// lastSeq returns the last sequence number given by record n of the newest log.
func (d *damages) lastSeq(n int) uint64 {
	if r := &d.log[n]; !r.Kind.Data() {
		return r.Seq - 1
	}
	return d.log[n].Seq
}
