package integrity

import (
	"fmt"
	"strings"
)

// NextStep returns the command to run next for a finding of a kind in the store
// in a folder, as a shell takes it. COPY stands for the folder of another copy of
// the store.
func NextStep(dir string, k Kind) string {
	repair := "varve repair -d " + shellWord(dir)
	switch k {
	case DamagedTable, WrongTable, Contradiction:
		return repair // what the store holds itself is enough, or repair says what it lacks
	case NewerVersion:
		return "use a newer varve"
	case WrongIndex:
		return fmt.Sprintf("open the store again, and: varve check -d %s", shellWord(dir))
	}
	return repair + " --from COPY"
}

// shellWord quotes a word for a shell where it must be quoted.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:=@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
