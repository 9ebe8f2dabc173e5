package main

import "testing"

func TestJudge(t *testing.T) {
	r := &results{Cases: map[string]map[string][]figures{}}
	for _, v := range []float64{100, 300, 200} { // the median is 200
		r.add("x", "varve", figures{"rate": v, "seconds": v / 1000, "calm": 6})
	}
	r.add("x", "other", figures{"rate": 100, "seconds": 1})
	for _, c := range []struct {
		what string
		t    goal
		pass bool
	}{
		{"twice the rate", goal{metric: "rate", of: "other", times: 2}, true},
		{"more than twice the rate", goal{metric: "rate", of: "other", times: 2.1}, false},
		{"a fifth of the time", goal{metric: "seconds", unit: seconds, of: "other", times: 5}, true},
		{"a sixth of the time", goal{metric: "seconds", unit: seconds, of: "other", times: 6}, false},
		{"at most", goal{metric: "seconds", unit: seconds, most: 0.2}, true},
		{"too much", goal{metric: "seconds", unit: seconds, most: 0.1}, false},
		{"too much, but within the other bound", goal{metric: "seconds", most: 0.1, or: "calm", orMost: 6}, true},
		{"too much by both bounds", goal{metric: "seconds", most: 0.1, or: "calm", orMost: 5}, false},
		{"at least", goal{metric: "calm", unit: ratio, least: 6}, true},
		{"too little", goal{metric: "calm", unit: ratio, least: 7}, false},
	} {
		c.t.name = "x"
		if v, ok := c.t.judge(r); !ok || v.pass != c.pass {
			t.Errorf("%s: %+v, %t", c.what, v, ok)
		}
	}
	if _, ok := (&goal{name: "x", metric: "rate", of: "nobody", times: 1}).judge(r); ok {
		t.Error("judged beside a store that did not run")
	}
}
