package integrity

import "fmt"

// Level says how much of a store is read and checked when it is opened,
// beyond what must be read to build the index. Whatever the level, nothing
// enters the index unchecked and every read checks what it returns: levels
// differ in when damage is found, never in whether a wrong value is served.
type Level uint8

const (
	// Tail, the default, checks the values at the end of the newest log, where
	// a crash leaves its traces.
	Tail Level = iota
	// None checks nothing beyond the index.
	None
	// Log checks every value of the newest log. An open after an unclean
	// close takes it by itself.
	Log
	// Full checks every record of every segment, every table against its records
	// both ways, the hash of every sealed file, and the index against them all.
	Full
)

var levelNames = [...]string{Tail: "tail", None: "none", Log: "log", Full: "full"}

// String returns the level's name.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("level(%d)", uint8(l))
}

// MarshalText returns the level's name.
func (l Level) MarshalText() ([]byte, error) {
	if int(l) >= len(levelNames) {
		return nil, fmt.Errorf("no integrity level %d", uint8(l))
	}
	return []byte(l.String()), nil
}

// UnmarshalText takes a name as String returns it.
func (l *Level) UnmarshalText(b []byte) error {
	for i, name := range levelNames {
		if name == string(b) {
			*l = Level(i)
			return nil
		}
	}
	return fmt.Errorf("no integrity level %q: want none, tail, log or full", b)
}
