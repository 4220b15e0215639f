package gpu

import (
	"reflect"
	"testing"
)

func TestHazards(t *testing.T) {
	a, b := &Buffer{}, &Buffer{}
	read := func(buf *Buffer, lo, hi int64) access { return access{buf, lo, hi, false} }
	write := func(buf *Buffer, lo, hi int64) access { return access{buf, lo, hi, true} }
	type step struct {
		operation []access
		barrier   bool
	}
	tests := map[string][]step{
		"read after read":             {{[]access{read(a, 0, 8)}, false}, {[]access{read(a, 0, 8)}, false}},
		"read after write":            {{[]access{write(a, 0, 8)}, false}, {[]access{read(a, 4, 5)}, true}},
		"write after read":            {{[]access{read(a, 0, 8)}, false}, {[]access{write(a, 7, 9)}, true}},
		"write after write":           {{[]access{write(a, 0, 8)}, false}, {[]access{write(a, 0, 8)}, true}},
		"another buffer":              {{[]access{write(a, 0, 8)}, false}, {[]access{write(b, 0, 8)}, false}},
		"the next bytes":              {{[]access{write(a, 0, 8)}, false}, {[]access{write(a, 8, 16)}, false}},
		"the bytes before":            {{[]access{write(a, 8, 16)}, false}, {[]access{read(a, 0, 8)}, false}},
		"inside of one operation":     {{[]access{read(a, 0, 8), write(a, 0, 8)}, false}},
		"second access conflicts":     {{[]access{write(a, 0, 8)}, false}, {[]access{read(b, 0, 8), read(a, 0, 8)}, true}},
		"a barrier covers all before": {{[]access{write(a, 0, 8)}, false}, {[]access{write(b, 0, 8)}, false}, {[]access{read(a, 0, 8)}, true}, {[]access{read(b, 0, 8)}, false}},
		"what set a barrier counts":   {{[]access{write(a, 0, 8)}, false}, {[]access{read(a, 0, 8), write(b, 0, 8)}, true}, {[]access{read(b, 0, 8)}, true}},
		"further back than the last":  {{[]access{write(a, 0, 8)}, false}, {[]access{read(b, 0, 8)}, false}, {[]access{read(a, 0, 8)}, true}},
	}
	for name, steps := range tests {
		var h hazards
		for i, s := range steps {
			if got := h.add(s.operation); got != s.barrier {
				t.Errorf("%s: operation %d: barrier %v, want %v", name, i, got, s.barrier)
			}
		}
	}
	var h hazards
	h.add([]access{write(a, 0, 8)})
	h.reset()
	if h.add([]access{read(a, 0, 8)}) {
		t.Error("a barrier after reset")
	}
}

func TestFootprint(t *testing.T) {
	a, b := &Buffer{}, &Buffer{}
	f := newFootprint([]access{{a, 8, 16, false}, {a, 0, 8, false}, {a, 4, 12, true}, {a, 20, 24, false}, {b, 0, 4, true}})
	want := footprint{a: {{a, 4, 12, true}, {a, 0, 16, false}, {a, 20, 24, false}}, b: {{b, 0, 4, true}}}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("footprint %v, want %v", f, want)
	}
	for _, test := range []struct {
		with access
		want bool
	}{
		{access{a, 16, 20, true}, false},
		{access{a, 15, 17, true}, true},
		{access{a, 12, 20, false}, false},
		{access{a, 11, 12, false}, true},
		{access{b, 0, 1, false}, true},
		{access{&Buffer{}, 0, 100, true}, false},
	} {
		g := newFootprint([]access{test.with})
		if f.conflicts(g) != test.want || g.conflicts(f) != test.want {
			t.Errorf("conflict with %v is not %v both ways", test.with, test.want)
		}
	}
}
