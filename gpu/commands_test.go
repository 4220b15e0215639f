package gpu

import (
	"reflect"
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	const n = 1 << 16
	d := open(t, Options{})
	p := newPipeline(t, d, inplaceKernel())
	x := newBuffer(t, d, 4*n, DeviceLocal)
	c := record(t, d, func(r *Recorder) {
		r.Fill(x.All(), 1)
		r.Step("short")
		r.Dispatch(p, [3]uint32{1, 1, 1}, push(1, 1, 1), x.All())
		r.Cut()
		r.Step("long")
		for range 1000 {
			r.Dispatch(p, groupsOf64(n), push(n, 1, 1), x.All())
		}
	})
	if _, err := c.Times(); err == nil {
		t.Error("times before the first run")
	}
	for range 2 {
		run(t, d, Job{Compute: c})
		times, err := c.Times()
		if err != nil {
			t.Fatal(err)
		}
		if d.Info().Limits.TimestampPeriod == 0 {
			if times != nil {
				t.Errorf("%v from a device without timestamps", times)
			}
			return
		}
		if len(times) != 2 || times[0].Name != "short" || times[1].Name != "long" ||
			times[1].Duration <= times[0].Duration || times[1].Duration > time.Minute {
			t.Errorf("times %v", times)
		}
	}
	plain := record(t, d, func(r *Recorder) { r.Fill(x.All(), 1) })
	run(t, d, Job{Compute: plain})
	if times, err := plain.Times(); times != nil || err != nil {
		t.Errorf("%v, %v without steps", times, err)
	}
	c.Release()
	if _, err := c.Times(); err == nil {
		t.Error("times of released commands")
	}
}

func TestStepTimes(t *testing.T) {
	got := stepTimes([]string{"a", "b", "c"}, []uint64{0xffff_fff0, 0xffff_fffa, 0x1_0000_0004, 5}, 32, 2)
	want := []StepTime{{"a", 20}, {"b", 20}, {"c", 2}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := stepTimes([]string{"a"}, []uint64{1, 1 << 40}, 64, 1); got[0].Duration != 1<<40-1 {
		t.Errorf("%v with 64 bits", got)
	}
}
