package bitgpu_test

// This file owns tests of what a model does to the process that it is in. They run themselves in a process
// that runs no test: the functions in roles, on the main thread.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/gpu"
	"github.com/bitgpu/bitgpu/tests/proctest"
)

const roleKey = "BITGPU_TEST_ROLE"

var roles = map[string]func() error{"quiet": quiet, "window": mainThread}

func init() {
	if os.Getenv(roleKey) != "" {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleKey)]; role != nil {
		if err := role(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play runs a role and returns what it prints.
func play(t *testing.T, role string) string {
	t.Helper()
	self := exec.Command(os.Args[0])
	self.Env = append(os.Environ(), roleKey+"="+role, "XDG_CACHE_HOME="+t.TempDir())
	if user, err := os.UserCacheDir(); err == nil && os.Getenv("MESA_SHADER_CACHE_DIR") == "" {
		self.Env = append(self.Env, "MESA_SHADER_CACHE_DIR="+user) // Mesa's own need not be made again
	}
	out, err := self.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// TestQuiet: all kinds of calls print nothing and change nothing that belongs to the process.
func TestQuiet(t *testing.T) {
	if out := play(t, "quiet"); out != "" {
		t.Errorf("printed:\n%s", out)
	}
}

// state is what belongs to the process: its handlers of signals, its environment, its directory, the priority of its main
// thread, its masks.
func state() (string, error) {
	var b strings.Builder
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if key, _, _ := strings.Cut(line, ":"); slices.Contains([]string{"SigIgn", "SigCgt", "SigBlk", "Umask", "Cpus_allowed", "NoNewPrivs"}, key) {
			b.WriteString(line)
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	priority, err := syscall.Getpriority(syscall.PRIO_PROCESS, os.Getpid())
	if err != nil {
		return "", err
	}
	fmt.Fprintln(&b, dir, priority, os.Environ())
	for signal := uintptr(1); signal <= 64; signal++ {
		var action [4]uint64 // handler, flags, restorer, mask
		if _, _, code := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, signal, 0, uintptr(unsafe.Pointer(&action)), 8, 0, 0); code == 0 {
			fmt.Fprintln(&b, "signal", signal, action)
		}
	}
	return b.String(), nil
}

func quiet() error {
	before, err := state()
	if err != nil {
		return err
	}
	ctx := context.Background()
	for _, o := range []bitgpu.Options{{}, {SliceBudget: time.Millisecond, Preprocessor: bitgpu.PreprocessGPU}, {LowPriority: true}} {
		m, err := bitgpu.OpenAsync(ctx, bitgpu.Demo, o).Model()
		if err != nil {
			return err
		}
		for r := range m.Stream(ctx, slices.Values([]bitgpu.Input{{Path: photo}, {Path: "no such file"}}), logits) {
			if (r.Err == nil) != (r.Input.Path == photo) {
				return fmt.Errorf("%s: %v", r.Input.Path, r.Err)
			}
		}
		_, explained := m.Explain(ctx, open(photo))
		m.Pause()
		answer := m.Go(ctx, bitgpu.Input{Path: photo}, logits)
		m.Trim()
		m.Resume()
		if err := errors.Join(explained, (<-answer).Err, m.Close()); err != nil {
			return err
		}
	}
	if _, err := bitgpu.Open(ctx, "no/such/model", bitgpu.Options{Offline: true}); err == nil {
		return errors.New("a model that is not there was opened")
	}
	after, err := state()
	if err == nil && after != before {
		err = fmt.Errorf("the process was\n%s\nand is\n%s", before, after)
	}
	return err
}

// TestLockedMainThread runs the window of the guide on a main thread that is locked, as GLFW and macOS want it.
func TestLockedMainThread(t *testing.T) {
	t.Logf("%s", play(t, "window"))
}

// mainThread is a program with a loop of frames, and tells which call took longest.
func mainThread() error {
	if syscall.Gettid() != syscall.Getpid() {
		return errors.New("not on the main thread")
	}
	calls, err := runWindow()
	if err == nil && syscall.Gettid() != syscall.Getpid() {
		err = errors.New("not on the main thread any more")
	}
	fmt.Println(calls)
	return err
}

// longest remembers how long each kind of call took at most.
type longest map[string]time.Duration

func (l longest) call(name string, f func()) {
	start := time.Now()
	f()
	l[name] = max(l[name], time.Since(start))
}

// runWindow opens the guide's window, shows pictures, minimizes it in the middle of work, and quits in the middle of work.
func runWindow() (longest, error) {
	calls := longest{}
	var w *window
	calls.call("OpenAsync", func() { w = newWindow(bitgpu.Demo) })
	frame := func() {
		calls.call("frame", w.frame)
		time.Sleep(time.Millisecond)
	}
	for w.model == nil && w.err == nil {
		frame()
	}
	if w.err != nil {
		return calls, w.err
	}
	for _, name := range []string{"chelsea.png", "coffee.png", "chelsea.png"} {
		calls.call("show", func() { w.show(filepath.Join("docs/photos", name)) })
		frame()
		calls.call("minimize", w.minimize)
		for range 20 {
			frame()
		}
		if name == "coffee.png" && w.answer == nil {
			return calls, errors.New("answered while minimized")
		}
		calls.call("restore", w.restore)
		for name == "chelsea.png" && w.answer != nil {
			frame()
		}
	}
	if w.title != "cat" {
		return calls, fmt.Errorf("the cat is a %s", w.title)
	}
	w.show(photo)
	var done <-chan error
	calls.call("quit", func() { done = w.quit() })
	for {
		select {
		case err := <-done:
			return calls, err
		default:
			frame()
		}
	}
}

// BenchmarkWindow tells the longest calls of a window's thread, in ms.
func BenchmarkWindow(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	all := longest{}
	for b.Loop() {
		calls, err := runWindow()
		if err != nil {
			b.Fatal(err)
		}
		for name, t := range calls {
			all[name] = max(all[name], t)
		}
	}
	for name, t := range all {
		b.ReportMetric(t.Seconds()*1e3, "ms-"+name)
	}
}

// TestModelsSideBySide: models with different options, working at once, answer as each does alone.
func TestModelsSideBySide(t *testing.T) {
	options := []bitgpu.Options{
		{Precision: bitgpu.FP32, Flip: true, Batch: 2}, {SliceBudget: time.Millisecond, Preprocessor: bitgpu.PreprocessGPU},
		{LowPriority: true, Preprocess: bitgpu.Override{Size: 96}, MemoryBudget: 512 << 20},
	}
	embed := func(m *bitgpu.Model) []float32 {
		v, err := m.Embed(t.Context(), open(photo))
		if err != nil {
			t.Error(err)
		}
		return v
	}
	var want [][]float32
	for _, o := range options {
		m := demo(t, o)
		want = append(want, embed(m))
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	var all sync.WaitGroup
	for i, o := range options {
		m := demo(t, o)
		all.Go(func() {
			for range 5 {
				if got := embed(m); !slices.Equal(got, want[i]) {
					t.Errorf("%+v: another answer beside others", o)
				}
			}
		})
	}
	all.Wait()
}

// TestTrimGivesMemoryBack to the system, not only by the device's own account.
func TestTrimGivesMemoryBack(t *testing.T) {
	m := demo(t, bitgpu.Options{Batch: 1})
	if m.Info().Device.Type != gpu.CPU {
		t.Skip("the device's memory is not the process's")
	}
	if _, err := m.Forward(t.Context(), noise(1, 1024, 1024), logits); err != nil {
		t.Fatal(err)
	}
	used, before := m.Memory()[0].Used, proctest.Now(t)
	m.Trim()
	freed := int(used-m.Memory()[0].Used) >> 10
	after := proctest.Now(t)
	if freed < 32<<10 || before.Memory-after.Memory < freed*3/4 {
		t.Errorf("%d KiB of the device's memory were given back, the process went from %v to %v", freed, before, after)
	}
}
