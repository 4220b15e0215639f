//go:build unix

package main

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestInterrupt sends SIGINT while a list is being waited for: the command ends at once, with its own
// exit code, and leaves no half file.
func TestInterrupt(t *testing.T) {
	for _, test := range []struct{ name, command, out string }{
		{"run", "run", "--logits"},
		{"preprocess", "preprocess", "--out"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{test.command, "--model", "demo", test.out, filepath.Join(dir, "x.npy"), "-"}
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
			if _, err := io.WriteString(stdin, "missing.png\n"+cat+"\n"); err != nil {
				t.Fatal(err)
			}
			if test.command == "run" {
				// The first answer shows that it is at work.
				if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
					t.Fatal(err, stderr.String())
				}
			} else {
				time.Sleep(time.Second)
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // the exit code says it
			if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
				t.Errorf("exit code %d\n%s", code, stderr.String())
			}
			wants(t, stderr.String(), "bitgpu: interrupted\n")
			onlyFiles(t, dir)
		})
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
