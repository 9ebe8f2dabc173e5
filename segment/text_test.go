package segment

import (
	"encoding"
	"encoding/json"
	"testing"
)

func TestNamesSurviveJSON(t *testing.T) {
	type names struct {
		Store    UUID
		Timeline Timeline
		Ref      Ref
	}
	want := names{UUID{1, 2, 3, 15: 0xff}, 0xab, Ref{Timeline: 1 << 63, ID: 42}}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got names
	if err := json.Unmarshal(b, &got); err != nil || got != want {
		t.Errorf("%s: %+v, %v", b, got, err)
	}
}

func TestNamesInNoOtherSpelling(t *testing.T) {
	const uuid = "01020300-0000-0000-0000-0000000000ff"
	for _, c := range []struct {
		into  encoding.TextUnmarshaler
		texts []string
	}{
		{new(UUID), []string{"", uuid[1:], uuid + "00", "0102030000000000000000000000000ff", "01020300-0000-0000-0000-0000000000FF", "x" + uuid[1:]}},
		{new(Timeline), []string{"", "ab", "00000000000000AB", "+0000000000000ab", "000000000000000ab"}},
		{new(Ref), []string{"", "/", "00000000000000ab", "00000000000000ab/42", "ab/00000000000000000042",
			"00000000000000ab/00000000000000000042/", "00000000000000ab/99999999999999999999"}},
	} {
		for _, text := range c.texts {
			if err := c.into.UnmarshalText([]byte(text)); err == nil {
				t.Errorf("%T takes %q", c.into, text)
			}
		}
	}
}
