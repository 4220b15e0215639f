package gpu

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// counted counts a device's submissions.
func counted(d *Device) *atomic.Int32 {
	var n atomic.Int32
	d.vk.Fault(func(call string) vk.Result {
		if call == "vkQueueSubmit" {
			n.Add(1)
		}
		return vk.Success
	})
	return &n
}

func TestCutPieces(t *testing.T) {
	dispatch := func(x, y, z uint32) operation {
		return operation{kind: opDispatch, groups: [3]uint32{x, y, z}, pipeline: &Pipeline{}}
	}
	whole := dispatch(100, 1, 1)
	whole.pipeline = &Pipeline{whole: true}
	short := dispatch(4, 1, 1)
	for _, test := range []struct {
		name      string
		ops       []operation
		estimates []float64
		fresh     []bool
		steps     bool
		want      string
	}{
		{"nothing", nil, nil, nil, false, "-1:"},
		{"short ones together", []operation{short, {kind: opCopy}, short}, []float64{3, 3, 3}, nil, false, "-1: 0 1 2"},
		{"as many as fit", []operation{short, short, short}, []float64{6, 4, 1}, nil, false, "-1: 0 1; -1: 2"},
		{"a long one by its longest axis", []operation{dispatch(2, 8, 1)}, []float64{35}, nil, false,
			"-1: 0.1[0,2]; -1: 0.1[2,4]; -1: 0.1[4,6]; -1: 0.1[6,8]"},
		{"never less than a workgroup", []operation{dispatch(1, 1, 2)}, []float64{1000}, nil, false, "-1: 0.2[0,1]; -1: 0.2[1,2]"},
		{"neither copies nor kernels that count workgroups", []operation{whole, {kind: opCopy}}, []float64{50, 50}, nil, false, "-1: 0; -1: 1"},
		{"nothing with a part of a long one", []operation{short, dispatch(1, 2, 1), short}, []float64{1, 11, 1}, nil, false,
			"-1: 0; -1: 1.1[0,1]; -1: 1.1[1,2]; -1: 2"},
		{"a cut stays one", []operation{short, {kind: opCut}, short}, []float64{1, 0, 1}, nil, false, "-1: 0; -1: 2"},
		{"steps apart", []operation{{kind: opStep}, short, {kind: opStep}, short, short}, []float64{0, 1, 0, 1, 1}, nil, true, "0: 1; 1: 3 4"},
		{"steps that nobody measures", []operation{{kind: opStep}, short, {kind: opStep}, short}, []float64{0, 1, 0, 1}, nil, false, "-1: 1 3"},
		{"what is fresh alone", []operation{short, short, short, dispatch(2, 1, 1), short}, []float64{1, 1, 1, 20, 1}, []bool{false, true, false, true, false}, false,
			"-1: 0; -1: 1 fresh; -1: 2; -1: 3.0[0,1] fresh; -1: 3.0[1,2]; -1: 4"},
	} {
		var pieces []string
		for _, p := range cutPieces(test.ops, test.estimates, test.fresh, test.steps, 10) {
			text := fmt.Sprintf("%d:", p.step)
			for _, part := range p.parts {
				text += fmt.Sprintf(" %d", part.op)
				if part.count > 0 {
					text += fmt.Sprintf(".%d[%d,%d]", part.axis, part.first, part.first+part.count)
				}
			}
			if p.fresh {
				text += " fresh"
			}
			pieces = append(pieces, text)
		}
		if got := strings.Join(pieces, "; "); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// A slice has no other piece with one whose pipeline may still have to be compiled, and such a time tells nothing of others.
func TestFreshSlices(t *testing.T) {
	q := &sliceQueue{scale: 1, elapsed: map[*Commands][]float64{}}
	for _, fresh := range []bool{false, false, true, false, false} {
		q.buffers, q.pieces = append(q.buffers, nil), append(q.pieces, &piece{estimate: 1, fresh: fresh})
		q.measured, q.owners = append(q.measured, false), append(q.owners, nil)
	}
	var sizes []int
	for !q.empty() {
		sizes = append(sizes, len(q.next(10)))
		if len(sizes) == 2 {
			q.took(time.Second)
		}
	}
	if !slices.Equal(sizes, []int{2, 1, 2}) || q.scale != 1 {
		t.Errorf("slices of %v pieces, scale %v", sizes, q.scale)
	}
}

// A long job comes in many submissions, gives what it should, and gets fewer when its times are known.
func TestSlices(t *testing.T) {
	const n = 1 << 20
	for _, share := range []bool{false, true} {
		d := open(t, Options{SliceBudget: 4 * time.Millisecond, shareQueue: share})
		p := newPipeline(t, d, affineKernel())
		x, y, down := newBuffer(t, d, 4*n, Upload), newBuffer(t, d, 4*n, DeviceLocal), newBuffer(t, d, 4*n, Readback)
		putWords(x, func(i int) uint32 { return uint32(i) })
		job := Job{
			Compute: record(t, d, func(r *Recorder) {
				r.Step("fill")
				r.Fill(y.All(), 0)
				r.Step("all")
				r.Work(1 << 32) // far too much, on a busy machine, too
				r.Dispatch(p, groupsOf64(n), push(n, 3, 1), x.All(), y.All())
			}),
			Readback: record(t, d, func(r *Recorder) { r.Copy(down.All(), y.All()) }),
		}
		first := len(job.Compute.encoded[computeLane].pieces)
		for pass := range 3 {
			count := counted(d)
			putWords(down, func(int) uint32 { return 0 })
			run(t, d, job)
			for i, v := range words(down) {
				if v != 3*uint32(i)+1 {
					t.Fatalf("share %v, pass %d: y[%d] = %d", share, pass, i, v)
				}
			}
			if sent := count.Load(); pass == 0 && sent < 2 {
				t.Errorf("share %v: %d submissions", share, sent)
			}
			times, err := job.Compute.Times()
			if err != nil || len(times) != 2 || times[1].Name != "all" || d.tellsTime() && times[1].Duration <= 0 {
				t.Errorf("times %v, %v", times, err)
			}
		}
		d.vk.Fault(nil)
		if last := len(job.Compute.encoded[computeLane].pieces); last >= first {
			t.Errorf("share %v: %d pieces before and %d after three runs", share, first, last)
		}
		if p.rate <= 0 {
			t.Error("the pipeline has no rate")
		}
	}
}

// Pieces that take longer than the budget are cut again.
func TestSlicesGetShorter(t *testing.T) {
	d := open(t, Options{SliceBudget: time.Millisecond})
	const n = 1 << 21
	p, x := newPipeline(t, d, inplaceKernel()), newBuffer(t, d, 4*n, DeviceLocal)
	d.mu.Lock()
	p.rate = 1e-9
	d.mu.Unlock()
	c := record(t, d, func(r *Recorder) { r.Dispatch(p, groupsOf64(n), push(n, 1, 1), x.All()) })
	if got := len(c.encoded[computeLane].pieces); got != 1 {
		t.Fatalf("%d pieces", got)
	}
	for range 2 {
		run(t, d, Job{Compute: c})
	}
	if got := len(c.encoded[computeLane].pieces); got < 2 {
		t.Errorf("%d pieces after runs of %v ns", got, c.took)
	}
}

// Whoever shares the queue gets in between two slices.
func TestSlicesLeaveTheQueue(t *testing.T) {
	h := newHost(t)
	d := open(t, Options{Host: h.options(), SliceBudget: 2 * time.Millisecond})
	c, _ := slow(t, d)
	fence, err := h.device.NewFence()
	if err != nil {
		t.Fatal(err)
	}
	defer h.device.DestroyFence(fence)
	pending, err := d.Submit(Job{Compute: c})
	if err != nil {
		t.Fatal(err)
	}
	for h.lock.n.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	h.lock.Lock()
	err = h.device.Submit(h.queue, nil, nil, vk.TimelinePoint{}, fence)
	h.lock.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.device.WaitFence(fence); err != nil {
		t.Fatal(err)
	}
	select {
	case <-pending.Done():
		t.Error("the host waited for all of the job")
	default:
	}
	if err := pending.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestCancel(t *testing.T) {
	d := open(t, Options{SliceBudget: time.Millisecond})
	c, x := slow(t, d)
	other, _ := slow(t, d)
	pending, err := d.Submit(Job{Compute: c})
	if err != nil {
		t.Fatal(err)
	}
	waiting, err := d.Submit(Job{Compute: other})
	if err != nil {
		t.Fatal(err)
	}
	waiting.Cancel()
	pending.Cancel()
	for _, p := range []*Pending{pending, waiting} {
		if err := p.Wait(t.Context()); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want Canceled", err)
		}
	}
	// The device, and the commands, are as good as before.
	down := newBuffer(t, d, 4096, Readback)
	run(t, d, Job{Compute: c, Readback: record(t, d, func(r *Recorder) { r.Copy(down.All(), x.Slice(0, 4096)) })})
	if w := words(down); slices.Max(w) != slices.Min(w) {
		t.Errorf("values from %d to %d", slices.Min(w), slices.Max(w))
	}
	pending.Cancel()
}

func TestCloseWhileSlicesAreSent(t *testing.T) {
	d := open(t, Options{SliceBudget: time.Millisecond})
	c, _ := slow(t, d)
	pending, err := d.Submit(Job{Compute: c})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := pending.Wait(t.Context()); err != nil {
		t.Errorf("Wait after Close: %v", err)
	}
}

// A slice that cannot be sent fails its job and nothing else; a lost device fails what waits, too.
func TestSliceFails(t *testing.T) {
	d := open(t, Options{SliceBudget: time.Millisecond})
	c, _ := slow(t, d)
	for nth := range int32(3) {
		failOnce(d, "vkQueueSubmit", nth, vk.OutOfHostMemory)
		pending, err := d.Submit(Job{Compute: c})
		if err != nil {
			t.Fatal(err)
		}
		if err := pending.Wait(t.Context()); !errors.Is(err, ErrOutOfMemory) || errors.Is(err, ErrDeviceLost) {
			t.Errorf("submission %d: %v, want ErrOutOfMemory", nth, err)
		}
	}
	d.vk.Fault(nil)
	run(t, d, Job{Compute: c})
	other, _ := slow(t, d)
	failOnce(d, "vkWaitForFences", 1, vk.DeviceLost)
	for _, c := range []*Commands{c, other} {
		pending, err := d.Submit(Job{Compute: c})
		if err == nil {
			err = pending.Wait(t.Context())
		}
		if !errors.Is(err, ErrDeviceLost) {
			t.Errorf("%v, want ErrDeviceLost", err)
		}
	}
}

func TestCountsWorkgroups(t *testing.T) {
	header := []uint32{spirvMagic, 0x10000, 0, 8, 0}
	for _, test := range []struct {
		code []uint32
		want bool
	}{
		{header, false},
		{append(slices.Clone(header), 4<<16|opDecorate, 1, decorationBuiltIn, builtInNumWorkgroups), true},
		{append(slices.Clone(header), 4<<16|opDecorate, 1, decorationBuiltIn, 26, 2<<16|opCapability, 1), false},
		{append(slices.Clone(header), 9<<16|opDecorate), true},
	} {
		if got := countsWorkgroups(test.code); got != test.want {
			t.Errorf("%v: %v, want %v", test.code[spirvHeader:], got, test.want)
		}
	}
}

func TestNegativeSliceBudget(t *testing.T) {
	if _, err := Open(Options{SliceBudget: -1}); err == nil {
		t.Error("opened")
	}
}
