package gpu

import (
	"testing"

	"github.com/bitgpu/bitgpu/tests/proctest"
)

func TestOpenCloseCyclesLeakNothing(t *testing.T) {
	if !proctest.Alone(t) {
		return
	}
	cycle := func() {
		d, err := Open(Options{})
		if err != nil {
			t.Fatal(err)
		}
		works(t, d)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		cycle()
	}
	before := proctest.Now(t)
	for range 50 {
		cycle()
	}
	after := proctest.Now(t)
	if after.Memory-before.Memory > 8<<10 || after.Threads-before.Threads > 4 || after.Files > before.Files {
		t.Errorf("%v after 50 cycles, %v before", after, before)
	}
}
