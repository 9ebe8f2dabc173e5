package archivesim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/varve-db/varve/internal/testkit"
)

// The layout of an archive stands here a second time, as literals, so that a test notices a
// change of it.

// Folder returns the prefix of a folder of the store UUID: backups, restores (pins), prune
// (plans).
func Folder(name string) string { return UUID.String() + "/" + name + "/" }

// BackupName returns the name of a backup's manifest (json), or of the marker that it
// was deleted (gone).
func BackupName(id uint64, ext string) string {
	return fmt.Sprintf("%s%020d.%s", Folder("backups"), id, ext)
}

// Manifest returns the bytes of a manifest, which is a pointer to a struct. It sets Format
// and Sum.
func Manifest(t testing.TB, m any) []byte {
	t.Helper()
	v := reflect.ValueOf(m).Elem()
	v.FieldByName("Format").SetInt(1)
	v.FieldByName("Sum").SetString("")
	b, err := json.Marshal(m)
	testkit.Must(t, err)
	sum := sha256.Sum256(b)
	v.FieldByName("Sum").SetString(hex.EncodeToString(sum[:]))
	b, err = json.MarshalIndent(m, "", " ")
	testkit.Must(t, err)
	return append(b, '\n')
}

// Names returns the names with a prefix, in order.
func (s *Target) Names(t testing.TB, prefix string) (names []string) {
	t.Helper()
	for info, err := range s.List(t.Context(), prefix, "") {
		testkit.Must(t, err)
		names = append(names, info.Name)
	}
	return names
}
