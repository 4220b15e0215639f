package main

// The tests here run the command as its users do: built once, as a process of its own, on whatever
// device auto picks, under the validation layer. This file owns the building and running, and the
// helpers for reading what comes out.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/tests/modeltest"
)

// Folders with test data.
const (
	photos = "../../docs/photos"
	golden = "../../loader/testdata/preproc"
	nets   = "../../tests/testdata/nets"
)

// program is the command's path, and caches a folder for compiled kernels. TestMain sets them.
var program, caches string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "bitgpu")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program, caches = filepath.Join(dir, "bitgpu.exe"), filepath.Join(dir, "cache")
		if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// environment is that of the tests: without models, caches and the network of the machine's, but for the driver's
// cache.
func environment(extra ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "BITGPU_") || strings.HasPrefix(v, "HF_") || strings.HasPrefix(v, "HUGGINGFACE_") ||
			strings.HasPrefix(v, "NO_COLOR=") || strings.HasPrefix(v, "TERM=")
	})
	if dir, err := os.UserCacheDir(); err == nil && os.Getenv("MESA_SHADER_CACHE_DIR") == "" {
		env = append(env, "MESA_SHADER_CACHE_DIR="+dir)
	}
	return append(append(env, "HOME="+caches, "XDG_CACHE_HOME="+caches, "XDG_CONFIG_HOME="+caches, "AppData="+caches, "LocalAppData="+caches, "HF_HUB_OFFLINE=1"), extra...)
}

// run is one run of the command.
type run struct {
	args  []string
	stdin string
	env   []string // NAME=VALUE, beside those of the tests
	dir   string   // to run in; the package's own if empty
}

// outcome is what a run left.
type outcome struct {
	code           int
	stdout, stderr string
}

func (r run) do(t *testing.T) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, r.args...)
	cmd.Env, cmd.Dir = environment(r.env...), r.dir
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(r.stdin), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// bitgpuRun runs the command and wants an exit code.
func bitgpuRun(t *testing.T, code int, args ...string) outcome {
	t.Helper()
	out := run{args: args}.do(t)
	out.exited(t, code, args)
	return out
}

func (o outcome) exited(t *testing.T, code int, args []string) {
	t.Helper()
	if o.code != code {
		t.Fatalf("bitgpu %s\nexit code %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), o.code, code, o.stdout, o.stderr)
	}
}

// wants makes sure that a text holds all of the parts.
func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in\n%s", p, text)
		}
	}
}

// demoFlags make a command use the demo network with the validation layer.
var demoFlags = []string{"--model", "demo", "--precision", "fp32", "--validate"}

func demoArgs(command string, args ...string) []string {
	return slices.Concat([]string{command}, demoFlags, args)
}

// openModel opens a model in the test itself, to compare with.
func openModel(t *testing.T, name string) *bitgpu.Model {
	t.Helper()
	return modeltest.Open(t, name, bitgpu.Options{Precision: bitgpu.FP32})
}

// outputs runs files through a model of the test's own.
func outputs(t *testing.T, m *bitgpu.Model, want bitgpu.Outputs, files ...string) []*bitgpu.Output {
	t.Helper()
	var all []*bitgpu.Output
	inputs := func(yield func(bitgpu.Input) bool) {
		for _, f := range files {
			if !yield(bitgpu.Input{Path: f}) {
				return
			}
		}
	}
	for r := range m.Stream(context.Background(), inputs, want) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		all = append(all, r.Output)
	}
	return all
}

// line is a line of bitgpu run --format json, or of bitgpu embed.
type line struct {
	File string
	Top  []struct {
		Index int
		Label string
		Prob  float32
	}
	Embedding []float32
	Error     string
}

// lines reads JSON lines. Keys that are not in line are errors.
func lines(t *testing.T, text string) []line {
	t.Helper()
	var all []line
	for text := range strings.Lines(text) {
		d := json.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		var l line
		if err := d.Decode(&l); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		all = append(all, l)
	}
	return all
}

// array reads a .npy file.
func array(t *testing.T, path string) *bitgpu.Tensor {
	t.Helper()
	r, err := loader.OpenNPY(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	x := &bitgpu.Tensor{Shape: r.Shape(), Data: make([]float32, r.Rows()*r.RowLen())}
	if err := r.ReadFloat32(x.Data, 0); err != nil {
		t.Fatal(err)
	}
	return x
}

// writeArray writes a .npy file of float32.
func writeArray(t *testing.T, path string, x *bitgpu.Tensor) {
	t.Helper()
	w, err := loader.CreateNPY(path, loader.F32, x.Shape[1:]...)
	if err == nil {
		err = errors.Join(w.WriteFloat32(x.Data), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// row returns row i of an array.
func rowOf(x *bitgpu.Tensor, i int) []float32 {
	n := len(x.Data) / x.Shape[0]
	return x.Data[i*n : (i+1)*n]
}

// same makes sure that values are equal but for the rounding that another size of batch may bring.
func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	largest, worst := 0.0, 0.0
	for i := range want {
		largest = max(largest, math.Abs(float64(want[i])))
		if d := math.Abs(float64(got[i] - want[i])); !(d <= worst) {
			worst = d
		}
	}
	if !(worst <= 1e-5*largest) {
		t.Errorf("%s: values differ by %g of %g", what, worst, largest)
	}
}

// allNaN makes sure that a row is blank.
func allNaN(t *testing.T, what string, row []float32) {
	t.Helper()
	for _, v := range row {
		if !math.IsNaN(float64(v)) {
			t.Errorf("%s: %v in the row of an input that failed, want NaN", what, v)
			return
		}
	}
}

// onlyFiles makes sure that a directory holds just the named files: no half ones.
func onlyFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !slices.Equal(names, want) {
		t.Errorf("%s holds %v, want %v", dir, names, want)
	}
}
