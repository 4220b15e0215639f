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
	const submitters, each, fresh, n = 4, 2500, 25, 64
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	d, err := Open(Options{}) // validation has its own tests; here it would only slow the race down
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var litter, group sync.WaitGroup
	for range 2 {
		litter.Go(func() { garbage(stop) })
	}
	k := inplaceKernel()
	for s := range uint32(submitters) {
		group.Go(func() { stressSubmitter(t, d, k, s, each, fresh, n) })
	}
	group.Wait()
	close(stop)
	litter.Wait()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// stressSubmitter adds one to each element of a buffer of its own, times times, and checks the sum on the way.
func stressSubmitter(t *testing.T, d *Device, k *shaders.Kernel, s uint32, times, fresh, n int) {
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
	for i := range times {
		if i%fresh == 0 {
			c.Release()
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
