package main

import (
	"io"
	"os"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"github.com/varve-db/varve/store"
	"golang.org/x/term"
)

// barAfter is how long work takes before it gets a bar.
const barAfter = time.Second

// meter shows on standard error how far work has come, with rate and time left,
// if that is a terminal and the work takes longer than a second. A nil meter shows
// nothing.
type meter struct {
	app *app
	bar *progressbar.ProgressBar
}

// watched reports whether somebody looks at standard error.
func (a *app) watched() bool { return isTerminal(a.errs) }

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// columns returns how many columns a line of a terminal has, 0 if f is none.
func columns(f *os.File) int {
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}

// meter returns the meter of work on total bytes, -1 if that is not known; where
// nobody watches, nil. The caller ends it with finish.
func (a *app) meter(what string, total int64) *meter {
	if !a.watched() {
		return nil
	}
	a.bar = &meter{a, progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(&lateWriter{a.errs, time.Now().Add(barAfter)}),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(barWidth(columns(a.errs), what)),
		progressbar.OptionShowBytes(true),
		progressbar.OptionShowCount(),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // no goroutine: it is drawn when work is done
	)}
	return a.bar
}

// barWidth returns how wide the bar itself may be, so that what stands around it has room on
// a line.
func barWidth(columns int, what string) int {
	const around = 56 // share, bytes of bytes, rate, time gone and time left
	return min(30, max(1, columns-around-utf8.RuneCountInString(what)))
}

// lateWriter drops what is written to it before a moment, and cuts lines off where those of
// the terminal end: a bar that goes on in the next line is not overwritten by the next one.
type lateWriter struct {
	f    *os.File
	from time.Time
}

func (l *lateWriter) Write(p []byte) (int, error) {
	if time.Now().Before(l.from) {
		return len(p), nil
	}
	if _, err := l.f.Write(cutLines(p, columns(l.f)-1)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// cutLines cuts what stands between returns off after so many characters.
func cutLines(p []byte, most int) []byte {
	if most <= 0 {
		return p
	}
	var out []byte
	n := 0
	for len(p) > 0 {
		_, size := utf8.DecodeRune(p)
		if p[0] == '\r' || p[0] == '\n' {
			n = -1
		}
		if n++; n <= most {
			out = append(out, p[:size]...)
		}
		p = p[size:]
	}
	return out
}

// add counts n more bytes as done.
func (m *meter) add(n int64) {
	if m != nil {
		_ = m.bar.Add64(n) // a bar that cannot be drawn is no failure
	}
}

// clear makes room for a line on standard error.
func (m *meter) clear() {
	if m != nil {
		_ = m.bar.Clear()
	}
}

// finish takes the bar away.
func (m *meter) finish() {
	if m != nil {
		m.clear()
		m.app.bar = nil
	}
}

// weight is about what an object adds to Stats.LiveBytes.
func weight(o *store.Object) int64 {
	const head = 28
	return int64(head + len(o.Key) + len(o.Meta) + len(o.Value))
}

// reader counts what is read through it.
func (m *meter) reader(r io.Reader) io.Reader { return &meteredReader{r, m} }

type meteredReader struct {
	r io.Reader
	m *meter
}

func (r *meteredReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.m.add(int64(n))
	return n, err
}
