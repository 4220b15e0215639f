package gpu

import (
	"reflect"
	"testing"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// fakeCommands read and write whole buffers of 8 bytes.
func fakeCommands(transfers bool, reads, writes []*Buffer) *Commands {
	var all []access
	for _, b := range reads {
		all = append(all, access{b, 0, 8, false})
	}
	for _, b := range writes {
		all = append(all, access{b, 0, 8, true})
	}
	c := &Commands{transfers: transfers, footprint: newFootprint(all)}
	for l := range c.encoded {
		c.encoded[l].segments = make([]vk.CommandBuffer, 1)
	}
	return c
}

// waitsFor is what one group must look like.
type waitsFor struct {
	lane, parts     int
	upload, compute uint64
	readback        uint64
}

func planned(groups []group) (all []waitsFor) {
	for _, g := range groups {
		all = append(all, waitsFor{g.lane, len(g.parts), g.waits[uploadLane], g.waits[computeLane], g.waits[readbackLane]})
	}
	return all
}

func TestPlan(t *testing.T) {
	stage0, in0, out0, down0 := &Buffer{}, &Buffer{}, &Buffer{}, &Buffer{}
	stage1, in1, out1, down1 := &Buffer{}, &Buffer{}, &Buffer{}, &Buffer{}
	arena := &Buffer{}
	job := func(stage, in, out, down *Buffer) Job {
		return Job{
			Upload:   fakeCommands(true, []*Buffer{stage}, []*Buffer{in}),
			Compute:  fakeCommands(false, []*Buffer{in}, []*Buffer{arena, out}),
			Readback: fakeCommands(true, []*Buffer{out}, []*Buffer{down}),
		}
	}
	shared := func(uploads, readbacks bool) *Device {
		d := &Device{}
		d.lanes[computeLane].used, d.lanes[uploadLane].used, d.lanes[readbackLane].used = true, uploads, readbacks
		return d
	}
	apart := []Job{job(stage0, in0, out0, down0), job(stage1, in1, out1, down1)}
	tests := map[string]struct {
		d    *Device
		jobs []Job
		want [][]waitsFor
	}{
		"one lane takes all parts in order": {shared(false, false), apart, [][]waitsFor{{{computeLane, 3, 0, 0, 0}}, {{computeLane, 3, 0, 0, 0}}}},
		"frames of their own overlap": {shared(true, true), apart, [][]waitsFor{
			{{uploadLane, 1, 0, 0, 0}, {computeLane, 1, 1, 0, 0}, {readbackLane, 1, 0, 1, 0}},
			{{uploadLane, 1, 0, 0, 0}, {computeLane, 1, 2, 0, 0}, {readbackLane, 1, 0, 2, 0}},
		}},
		"without a readback lane": {shared(true, false), apart, [][]waitsFor{
			{{uploadLane, 1, 0, 0, 0}, {computeLane, 2, 1, 0, 0}},
			{{uploadLane, 1, 0, 0, 0}, {computeLane, 2, 2, 0, 0}},
		}},
		"an upload waits for the compute that still reads its buffer": {shared(true, true),
			[]Job{job(stage0, in0, out0, down0), job(stage1, in0, out1, down1)}, [][]waitsFor{
				{{uploadLane, 1, 0, 0, 0}, {computeLane, 1, 1, 0, 0}, {readbackLane, 1, 0, 1, 0}},
				{{uploadLane, 1, 0, 1, 0}, {computeLane, 1, 2, 0, 0}, {readbackLane, 1, 0, 2, 0}},
			}},
		"a compute waits for the readback of what it overwrites": {shared(true, true),
			[]Job{job(stage0, in0, out0, down0), job(stage1, in1, out0, down1)}, [][]waitsFor{
				{{uploadLane, 1, 0, 0, 0}, {computeLane, 1, 1, 0, 0}, {readbackLane, 1, 0, 1, 0}},
				{{uploadLane, 1, 0, 0, 0}, {computeLane, 1, 2, 0, 1}, {readbackLane, 1, 0, 2, 0}},
			}},
		"an upload with a dispatch runs on the compute lane": {shared(true, true),
			[]Job{{Upload: fakeCommands(false, nil, []*Buffer{in0}), Compute: fakeCommands(false, []*Buffer{in0}, nil)}},
			[][]waitsFor{{{computeLane, 2, 0, 0, 0}}}},
		"an upload alone": {shared(true, true), []Job{{Upload: apart[0].Upload}, {Compute: apart[0].Compute}}, [][]waitsFor{
			{{uploadLane, 1, 0, 0, 0}}, {{computeLane, 1, 1, 0, 0}},
		}},
	}
	for name, test := range tests {
		for i, j := range test.jobs {
			groups := test.d.plan(j)
			if got := planned(groups); !reflect.DeepEqual(got, test.want[i]) {
				t.Errorf("%s: job %d: %+v, want %+v", name, i, got, test.want[i])
			}
			for _, g := range groups {
				for _, c := range g.parts {
					l := &test.d.lanes[g.lane]
					l.live = append(l.live, livePart{commands: c, point: g.signal, job: &Pending{}})
				}
			}
		}
	}
}

func TestPlanForgetsWhatIsDone(t *testing.T) {
	in, done := &Buffer{}, &Pending{}
	d := &Device{}
	d.lanes[computeLane].used, d.lanes[uploadLane].used = true, true
	d.lanes[computeLane].live = []livePart{{fakeCommands(false, []*Buffer{in}, nil), 5, done}}
	upload := Job{Upload: fakeCommands(true, nil, []*Buffer{in})}
	if got := d.plan(upload)[0].waits[computeLane]; got != 5 {
		t.Errorf("waits for %d, want 5", got)
	}
	d.lanes[computeLane].forget(done)
	if got := d.plan(upload)[0].waits[computeLane]; got != 0 {
		t.Errorf("waits for %d of a job that is done", got)
	}
}

func TestSubmissions(t *testing.T) {
	cut := func(segments int) *Commands {
		c := &Commands{}
		c.encoded[computeLane].segments = make([]vk.CommandBuffer, segments)
		return c
	}
	for _, test := range []struct {
		segments []int
		want     []int // command buffers of each submission
	}{
		{[]int{1}, []int{1}},
		{[]int{1, 1, 1}, []int{3}},
		{[]int{1, 3, 1}, []int{2, 1, 2}},
		{[]int{2, 2}, []int{1, 2, 1}},
	} {
		var g group
		for _, n := range test.segments {
			g.parts = append(g.parts, cut(n))
		}
		var got []int
		for _, s := range g.submissions() {
			got = append(got, len(s))
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("segments %v: submissions of %v, want %v", test.segments, got, test.want)
		}
	}
}
