package main

import "testing"

func TestEachReasonOfHealthzIsOneLine(t *testing.T) {
	got := reasons([]string{"full: write x: no space\nremove y: no space", "late"})
	if want := "full: write x: no space; remove y: no space\nlate\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
