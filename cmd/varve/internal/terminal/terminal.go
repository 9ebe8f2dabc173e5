package terminal

import (
	"io"
	"os"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// barAfter is how long work takes before it gets a bar.
const barAfter = time.Second

// A Meter shows on a terminal how far work has come, with rate and time left, if the work takes
// longer than a second. A nil Meter shows nothing. It starts no goroutine, and may be used by
// several.
type Meter struct {
	bar  *progressbar.ProgressBar
	done func()
}

// Is reports whether a file is a terminal.
func Is(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Columns returns how many columns a line of a terminal has, 0 if f is none.
func Columns(f *os.File) int {
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}

// NewMeter returns the meter of work on total bytes, -1 if that is not known; nil where f is no
// terminal. The caller ends it with Finish, which calls done.
func NewMeter(f *os.File, what string, total int64, done func()) *Meter {
	if !Is(f) {
		return nil
	}
	return &Meter{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(&lateWriter{f, time.Now().Add(barAfter)}),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(barWidth(Columns(f), what)),
		progressbar.OptionShowBytes(true),
		progressbar.OptionShowCount(),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetSpinnerChangeInterval(0), // no goroutine: it is drawn when work is done
	), done}
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
	if _, err := l.f.Write(cutLines(p, Columns(l.f)-1)); err != nil {
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

// Add counts n more bytes as done.
func (m *Meter) Add(n int64) {
	if m != nil {
		_ = m.bar.Add64(n) // a bar that cannot be drawn is no failure
	}
}

// Clear makes room for a line on standard error.
func (m *Meter) Clear() {
	if m != nil {
		_ = m.bar.Clear()
	}
}

// Finish takes the bar away.
func (m *Meter) Finish() {
	if m != nil {
		m.Clear()
		m.done()
	}
}

// Reader counts what is read through it.
func (m *Meter) Reader(r io.Reader) io.Reader { return &meteredReader{r, m} }

type meteredReader struct {
	r io.Reader
	m *Meter
}

func (r *meteredReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.m.Add(int64(n))
	return n, err
}

// Describe changes what the bar says of the work.
func (m *Meter) Describe(what string) {
	if m != nil {
		m.bar.Describe(what)
	}
}
