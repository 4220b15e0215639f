package gpu

import (
	"strings"
	"testing"
)

func TestRecorderErrors(t *testing.T) {
	d, other := open(t, Options{}), open(t, Options{})
	p, foreign := newPipeline(t, d, affineKernel()), newPipeline(t, other, affineKernel())
	x, y := newBuffer(t, d, 4096, DeviceLocal), newBuffer(t, d, 4096, DeviceLocal)
	theirs := newBuffer(t, other, 4096, DeviceLocal)
	args, one := push(1, 1, 1), [3]uint32{1, 1, 1}
	limits := d.Info().Limits
	huge := Range{&Buffer{dev: d, size: 1 << 40}, 0, limits.MaxStorageBufferRange + 1}
	tests := map[string]struct {
		record func(r *Recorder)
		want   string
	}{
		"no pipeline":      {func(r *Recorder) { r.Dispatch(nil, one, args) }, "pipeline"},
		"foreign pipeline": {func(r *Recorder) { r.Dispatch(foreign, one, args, x.All(), y.All()) }, "pipeline"},
		"push constants":   {func(r *Recorder) { r.Dispatch(p, one, args[:8], x.All(), y.All()) }, "8 bytes of push constants, want 12"},
		"buffers":          {func(r *Recorder) { r.Dispatch(p, one, args, x.All()) }, "1 buffers, want 2"},
		"no groups":        {func(r *Recorder) { r.Dispatch(p, [3]uint32{1, 0, 1}, args, x.All(), y.All()) }, "workgroups"},
		"too many groups": {func(r *Recorder) {
			r.Dispatch(p, [3]uint32{1, 1, limits.MaxWorkGroupCount[2] + 1}, args, x.All(), y.All())
		}, "workgroups"},
		"alignment":            {func(r *Recorder) { r.Dispatch(p, one, args, x.Slice(1, 8), y.All()) }, "binding 0: offset 1"},
		"range":                {func(r *Recorder) { r.Dispatch(p, one, args, x.All(), huge) }, "binds at most"},
		"outside":              {func(r *Recorder) { r.Dispatch(p, one, args, x.All(), y.Slice(4000, 100)) }, "binding 1: bytes [4000, +100)"},
		"empty range":          {func(r *Recorder) { r.Fill(x.Slice(0, 0), 0) }, "fill"},
		"negative offset":      {func(r *Recorder) { r.Fill(x.Slice(-4, 8), 0) }, "fill"},
		"offset overflows":     {func(r *Recorder) { r.Fill(x.Slice(1<<62, 1<<62), 0) }, "fill"},
		"no buffer":            {func(r *Recorder) { r.Fill(Range{}, 0) }, "no buffer"},
		"foreign buffer":       {func(r *Recorder) { r.Copy(x.All(), theirs.All()) }, "another device"},
		"fill alignment":       {func(r *Recorder) { r.Fill(x.Slice(2, 4), 0) }, "multiples of 4"},
		"copy sizes":           {func(r *Recorder) { r.Copy(x.Slice(0, 8), y.Slice(0, 16)) }, "16 bytes to 8"},
		"copy overlap":         {func(r *Recorder) { r.Copy(x.Slice(0, 8), x.Slice(4, 8)) }, "overlap"},
		"the first error wins": {func(r *Recorder) { r.Fill(x.All(), 0); r.Fill(x.Slice(2, 4), 0); r.Dispatch(nil, one, args) }, "operation 1, fill"},
	}
	for name, test := range tests {
		r := d.NewRecorder()
		test.record(r)
		if c, err := r.End(); err == nil || c != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, test.want)
		}
	}
	r := d.NewRecorder()
	if _, err := r.End(); err != nil {
		t.Errorf("nothing recorded: %v", err)
	}
	if _, err := r.End(); err == nil {
		t.Error("ended twice")
	}
}

// barriers tells before which operations that do work there is a barrier.
func barriers(r *Recorder) string {
	var s strings.Builder
	for _, o := range r.ops {
		switch {
		case o.kind == opCut:
			s.WriteByte('|')
		case o.kind == opStep:
		case o.barrier:
			s.WriteByte('b')
		default:
			s.WriteByte('-')
		}
	}
	return s.String()
}

func TestBarriersOnlyWhereNeeded(t *testing.T) {
	d := open(t, Options{})
	p, in := newPipeline(t, d, affineKernel()), newPipeline(t, d, inplaceKernel())
	x, y := newBuffer(t, d, 4096, DeviceLocal), newBuffer(t, d, 4096, DeviceLocal)
	one, args := [3]uint32{1, 1, 1}, push(64, 1, 1)
	tests := map[string]struct {
		record func(r *Recorder)
		want   string
	}{
		"independent ranges": {func(r *Recorder) {
			for i := range int64(4) {
				r.Dispatch(p, one, args, x.Slice(256*i, 256), y.Slice(256*i, 256))
			}
		}, "----"},
		"a chain": {func(r *Recorder) {
			r.Dispatch(p, one, args, x.All(), y.All())
			r.Dispatch(p, one, args, y.All(), x.All())
			r.Dispatch(p, one, args, x.All(), y.All())
		}, "-bb"},
		"in place": {func(r *Recorder) {
			r.Dispatch(in, one, args, x.All())
			r.Dispatch(in, one, args, y.All())
			r.Dispatch(in, one, args, x.All())
		}, "--b"},
		"copies and fills": {func(r *Recorder) {
			r.Fill(x.Slice(0, 256), 1)
			r.Fill(x.Slice(256, 256), 1)
			r.Copy(y.Slice(0, 512), x.Slice(0, 512))
			r.Fill(x.Slice(1024, 4), 1)
			r.Fill(x.Slice(0, 4), 1)
		}, "--b-b"},
		"a cut is a barrier": {func(r *Recorder) {
			r.Fill(x.All(), 1)
			r.Cut()
			r.Copy(y.All(), x.All())
		}, "-|-"},
		"a step is none": {func(r *Recorder) {
			r.Step("a")
			r.Fill(x.All(), 1)
			r.Step("b")
			r.Copy(y.All(), x.All())
		}, "-b"},
	}
	for name, test := range tests {
		r := d.NewRecorder()
		test.record(r)
		if got := barriers(r); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		c, err := r.End() // the layer's synchronization checks read it too
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		run(t, d, Job{Compute: c})
	}
}

// The barriers make a long chain of dependent dispatches come out right, with and without cuts.
func TestDependentDispatches(t *testing.T) {
	const n, chain = 5000, 40
	d := open(t, Options{})
	in, out := newPipeline(t, d, inplaceKernel()), newPipeline(t, d, affineKernel())
	x, y := newBuffer(t, d, 4*n, DeviceLocal), newBuffer(t, d, 4*n, Readback)
	for _, cut := range []bool{false, true} {
		c := record(t, d, func(r *Recorder) {
			r.Fill(x.All(), 1)
			for i := range uint32(chain) {
				r.Dispatch(in, groupsOf64(n), push(n, 3, i), x.All())
				if cut && i%7 == 3 {
					r.Cut()
				}
			}
			r.Dispatch(out, groupsOf64(n), push(n, 1, 5), x.All(), y.All())
		})
		if got := len(c.encoded[computeLane].segments); cut != (got == 7) || !cut && got != 1 {
			t.Errorf("cut %v: %d submissions", cut, got)
		}
		want := uint32(1)
		for i := range uint32(chain) {
			want = want*3 + i
		}
		want += 5
		for range 3 { // replays
			run(t, d, Job{Compute: c})
			for i, v := range words(y) {
				if v != want {
					t.Fatalf("cut %v: y[%d] = %d, want %d", cut, i, v, want)
				}
			}
		}
	}
}
