//go:build unix

package main

import (
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader/hub/hubtest"
)

// TestInterrupt sends SIGINT while a list is being waited for, or weights are loaded: the command ends
// at once, with its own exit code, and leaves no half file.
func TestInterrupt(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string // without the file to write
	}{
		{"run", []string{"run", "--model", "demo", "-", "--logits"}},
		{"tensors", []string{"embed", "--model", "demo", "--tensor", "-", "--out"}},
		{"preprocess", []string{"preprocess", "--model", "demo", "-", "--out"}},
		{"loading", []string{"run", "--model", "resnetv2_152x2_bit", "--weights", "random:golden", "--format", "table", "-", "--out"}},
		{"archive", []string{"embed", "--model", "demo", "--format", "npz", "-", "--out"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "x.npy")
			list := cat
			if test.name == "tensors" {
				list = filepath.Join(t.TempDir(), "in.npy")
				writeArray(t, list, &bitgpu.Tensor{Shape: []int{1, 3, 32, 32}, Data: make([]float32, 3*32*32)})
			}
			cmd := exec.CommandContext(t.Context(), program, append(test.args, file)...)
			cmd.Env = environment()
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(stdin, strings.Repeat(list+"\n", 100)); err != nil {
				t.Fatal(err)
			}
			// The unfinished file shows that it is at work.
			deadline := time.Now().Add(time.Minute)
			for unfinished := 0; unfinished == 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("no unfinished file")
				}
				all, err := filepath.Glob(file + ".*.partial")
				if err != nil {
					t.Fatal(err)
				}
				unfinished = len(all)
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // the exit code says it
			if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || stderr.String() != "bitgpu: interrupted\n" {
				t.Errorf("exit code %d, stderr %s", code, stderr.String())
			}
			onlyFiles(t, dir)
		})
	}
}

// TestInterruptPull keeps what is there of a file, and nothing under a name that a whole one has.
func TestInterruptPull(t *testing.T) {
	s, cache, env := newHub(t)
	const size = 4 << 20
	name := bigFile(s, size)
	s.Fault = func(kind hubtest.Kind, file string, n int) hubtest.Fault {
		return hubtest.Fault{Cut: size / 2, Stall: kind == hubtest.Storage}
	}
	cmd := exec.CommandContext(t.Context(), program, "run", "--model", name, cat)
	cmd.Env = environment(env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	incomplete := s.Repos["me/big"].Files[hubtest.Commit(1)]["model.safetensors"].ETag() + ".incomplete"
	for deadline := time.Now().Add(time.Minute); blobs(t, cache)[incomplete] < size/2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing comes")
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code says it
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.HasSuffix(stderr.String(), "bitgpu: interrupted\n") {
		t.Errorf("exit code %d, stderr %s", code, stderr.String())
	}
	if left := blobs(t, cache); len(left) != 1 || left[incomplete] != size/2 {
		t.Errorf("the cache holds %v", left)
	}
}

// TestClosedPipe has a reader that goes away: no half file, and no complaint.
func TestClosedPipe(t *testing.T) {
	dir := t.TempDir()
	args := demoArgs("run", "--format", "json", "--batch", "1", "--logits", filepath.Join(dir, "x.npy"), "-")
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = environment()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdout.Close()
	if _, err := io.WriteString(stdin, "missing.png\n"+cat+"\n"); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	_ = cmd.Wait() // the exit code says it
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || stderr.Len() > 0 {
		t.Errorf("exit code %d, stderr %s", code, stderr.String())
	}
	onlyFiles(t, dir)
}
