package bitgpu_test

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
)

// settled waits until no more goroutines run than before.
func settled(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestGo: calls of every kind of input give what Classify gives, also when nobody takes the answer.
func TestGo(t *testing.T) {
	m := demo(t, bitgpu.Options{})
	want, err := m.Embed(t.Context(), open(photo))
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	var answers []<-chan bitgpu.Result
	for i := range 12 {
		in := []bitgpu.Input{{Path: photo}, {Image: open(photo)}, {Open: func() (io.ReadCloser, error) { return os.Open(photo) }}}[i%3]
		in.Name = photo
		answers = append(answers, m.Go(t.Context(), in, bitgpu.Outputs{Embedding: true}))
	}
	for i, c := range answers[:10] {
		r := <-c
		if r.Err != nil || r.Input.Name != photo || !slices.Equal(r.Output.Embedding.Data, want) {
			t.Errorf("call %d: another answer, error %v", i, r.Err)
		}
		if _, more := <-c; more {
			t.Errorf("call %d: a second answer", i)
		}
	}
	settled(t, before)
	for _, in := range []bitgpu.Input{{}, {Path: "no such file"}} {
		if r := <-m.Go(t.Context(), in, logits); r.Err == nil || r.Output != nil {
			t.Errorf("%+v was answered with %v", in, r.Output)
		}
	}
}

// TestGoOrderAndBounds holds a model's goroutines in the pictures that they read: calls begin in order, wait in bounded
// number, and end at once with their ctx or the model.
func TestGoOrderAndBounds(t *testing.T) {
	m := demo(t, bitgpu.Options{})
	before := runtime.NumGoroutine()
	reading, release := make(chan int), make(chan struct{})
	call := func(ctx context.Context, i int) <-chan bitgpu.Result {
		return m.Go(ctx, bitgpu.Input{Open: func() (io.ReadCloser, error) {
			reading <- i
			<-release
			return os.Open(photo)
		}}, logits)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stuck := []<-chan bitgpu.Result{call(ctx, 0), call(t.Context(), 1), call(t.Context(), 2)}
	for range stuck {
		<-reading // in any order
	}
	var waiting []<-chan bitgpu.Result
	for i := range 1024 {
		waiting = append(waiting, call(ctx, 3+i))
	}
	if r := <-call(t.Context(), 0); !errors.Is(r.Err, bitgpu.ErrBusy) {
		t.Errorf("the call after 1024: %v, want ErrBusy", r.Err)
	}
	cancel()
	for i, c := range append(waiting, stuck[0], call(ctx, 0)) {
		if r := <-c; !errors.Is(r.Err, context.Canceled) {
			t.Fatalf("call %d: %v, want Canceled", i, r.Err)
		}
	}
	later := []<-chan bitgpu.Result{call(t.Context(), 3), call(t.Context(), 4)}
	release <- struct{}{}
	if i := <-reading; i != 3 {
		t.Errorf("call %d began after the first three, want 3", i)
	}
	if err := m.Close(); err != nil { // which waits for no picture
		t.Error(err)
	}
	if r := <-later[1]; !errors.Is(r.Err, bitgpu.ErrClosed) {
		t.Errorf("waiting when the model closed: %v, want ErrClosed", r.Err)
	}
	close(release)
	for i, c := range append(stuck[1:], later[0]) {
		if r := <-c; !errors.Is(r.Err, bitgpu.ErrClosed) {
			t.Errorf("call %d, reading when the model closed: %v, want ErrClosed", i, r.Err)
		}
	}
	if r := <-call(t.Context(), 0); !errors.Is(r.Err, bitgpu.ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", r.Err)
	}
	settled(t, before)
}
