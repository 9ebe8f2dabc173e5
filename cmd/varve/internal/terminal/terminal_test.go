package terminal

import "testing"

func TestBarsFit(t *testing.T) {
	for _, c := range []struct {
		in   string
		most int
		want string
	}{
		{"\rshipping ███ 12%", 12, "\rshipping ███"},
		{"\r            \r\rab", 3, "\r   \r\rab"},
		{"abc\nabcd", 3, "abc\nabc"},
		{"abc", 0, "abc"},
	} {
		if got := string(cutLines([]byte(c.in), c.most)); got != c.want {
			t.Errorf("%q on %d columns: %q, want %q", c.in, c.most, got, c.want)
		}
	}
	if barWidth(200, "check") != 30 || barWidth(80, "check") != 19 || barWidth(40, "check") != 1 {
		t.Error("the width of bars")
	}
}
