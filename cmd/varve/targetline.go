package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/varve-db/varve/archiver"
	"github.com/varve-db/varve/archiver/alarm"
	"github.com/varve-db/varve/archiver/target"
	"github.com/varve-db/varve/cmd/varve/internal/units"
)

// targetError is what is wrong with one archive, on one line.
type targetError struct {
	line string
	err  error
}

func (e *targetError) Error() string { return e.line }
func (e *targetError) Unwrap() error { return e.err }

// targetErrors replaces what the error of Once says of each archive by one line.
func targetErrors(r *archiver.OnceReport, err error) error {
	if r.Targets == nil {
		return shipError(err)
	}
	var lines []error
	rest := leaves(err)
	for i := range r.Targets {
		t := &r.Targets[i]
		if t.Err == nil {
			continue
		}
		own := leaves(t.Err)
		rest = without(rest, own)
		lines = append(lines, &targetError{onceProblem(t, own), t.Err})
	}
	for _, e := range rest {
		lines = append(lines, shipError(e))
	}
	return errors.Join(lines...)
}

// without leaves out of a list of errors those of another.
func without(list, gone []error) (left []error) {
	for _, e := range list {
		found := false
		for _, g := range gone {
			found = found || errors.Is(e, g)
		}
		if !found {
			left = append(left, e)
		}
	}
	return left
}

// onceProblem says what is wrong with an archive, since when, how much waits and what to do.
func onceProblem(t *archiver.TargetReport, own []error) string {
	kind, since := alarm.Kind(""), ""
	if t.Alarm != nil {
		kind, since = t.Alarm.Kind, "; since "+t.Alarm.Since.Local().Format(time.DateTime)
	}
	text := alarmText(t.URL, kind, oneLine(shipError(own[0])))
	if n := len(own) - 1; n > 0 {
		text += fmt.Sprintf(" (and %s)", count(int64(n), "more failure", "more failures"))
	}
	return text + since + "; " + waiting(t.Left, t.LeftBytes)
}

// waiting says how much is to be shipped.
func waiting(segments int, bytes int64) string {
	if segments == 0 {
		return "nothing waits"
	}
	return count(int64(segments), "segment waits", "segments wait") + ", " + units.Human(bytes)
}

// alarmText says what is wrong with an archive, and what to do, beginning with its URL. text is
// the error, and kind the kind of the alarm, if it is one.
func alarmText(url string, kind alarm.Kind, text string) string {
	if kind == alarm.Full { // the error names the file that could not be written, which helps nobody
		text = "the archive is full; " + commandFor(target.MakeRoom, "")
	}
	if !strings.HasPrefix(text, url) {
		text = url + ": " + text
	}
	return text
}
