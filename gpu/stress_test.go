package gpu

import (
	"encoding/binary"
	"runtime/debug"
	"sync"
	"testing"

	"github.com/bitgpu/bitgpu/shaders"
)

// garbage allocates memory full of pointers, in sizes like those of Vulkan's structs, until stop is closed.
func garbage(stop <-chan struct{}) {
	var keep [64][]*[24]byte
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		list := make([]*[24]byte, 1+i%40)
		for k := range list {
			list[k] = &[24]byte{0: 0xff, 23: 0xff}
		}
		keep[i%len(keep)] = list
	}
}

// Ten thousand submissions, replayed and freshly recorded ones, from several goroutines, with the garbage
// collector always at work: nothing that the driver reads may be the collector's.
func TestGarbageCollectorStress(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	for _, run := range []struct {
		name  string
		o     Options
		times int // for each of 4 submitters
	}{
		{"validated", Options{Validation: true}, 100}, // the layer slows the race down
		{"bare", Options{}, 2500},
	} {
		t.Run(run.name, func(t *testing.T) { stress(t, run.o, run.times) })
	}
}

func stress(t *testing.T, o Options, times int) {
	const fresh, n = 25, 64
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var litter, group sync.WaitGroup
	for range 2 {
		litter.Go(func() { garbage(stop) })
	}
	for s := range uint32(4) {
		group.Go(func() { stressSubmitter(t, d, s, times, fresh, n) })
	}
	group.Wait()
	close(stop)
	litter.Wait()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// stressSubmitter adds one to each element of a buffer of its own, times times, and checks the sum each time. After
// fresh submissions it records anew.
func stressSubmitter(t *testing.T, d *Device, s uint32, times, fresh, n int) {
	x, err := d.NewBuffer(int64(4*n), Upload)
	if err != nil {
		t.Error(err)
		return
	}
	down, err := d.NewBuffer(int64(4*n), Readback)
	if err != nil {
		t.Error(err)
		return
	}
	putWords(x, func(i int) uint32 { return s })
	var c *Commands
	var k *shaders.Kernel
	for i := range times {
		if i%fresh == 0 {
			c.Release()
			if i/fresh%4 == 0 {
				k = inplaceKernel() // compiled anew
			}
			p, err := d.NewPipeline(k, 8<<(i/fresh%4))
			if err != nil {
				t.Error(err)
				return
			}
			r := d.NewRecorder()
			r.Dispatch(p, [3]uint32{uint32(n) / 8, 1, 1}, push(uint32(n), 1, 1), x.All())
			r.Copy(down.All(), x.All())
			if c, err = r.End(); err != nil {
				t.Error(err)
				return
			}
		}
		pending, err := d.Submit(Job{Compute: c})
		if err == nil {
			err = pending.Wait(t.Context())
		}
		if err != nil {
			t.Error(err)
			return
		}
		bytes, want := down.Bytes(), s+uint32(i)+1
		for at := 0; at < len(bytes); at += 4 {
			if v := binary.LittleEndian.Uint32(bytes[at:]); v != want {
				t.Errorf("submitter %d, run %d: element %d is %d, want %d", s, i, at/4, v, want)
				return
			}
		}
	}
}
