package main

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/loader/loadertest"
)

// tinyTensors are all tensors of the smallest golden network.
func tinyTensors(t *testing.T) []loadertest.Tensor {
	t.Helper()
	c, err := loader.OpenSafetensors(filepath.Join(nets, "tiny", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var all []loadertest.Tensor
	for _, info := range c.Tensors() {
		x := loadertest.Tensor{Name: info.Name, DType: info.DType, Shape: info.Shape, Data: make([]byte, info.Bytes())}
		if err := c.ReadTensor(x.Name, x.Data, 0); err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	return all
}

// changed is the checkpoint with one tensor changed, or left out if change returns false.
func changed(t *testing.T, name string, change func(*loadertest.Tensor) bool) []byte {
	t.Helper()
	all := tinyTensors(t)
	i := slices.IndexFunc(all, func(x loadertest.Tensor) bool { return x.Name == name })
	if i < 0 {
		t.Fatal("no tensor", name)
	}
	if !change(&all[i]) {
		all = slices.Delete(all, i, i+1)
	}
	return loadertest.Safetensors(nil, all...)
}

func TestBadCheckpoints(t *testing.T) {
	const conv = "stages.1.blocks.0.conv2.weight"
	whole := loadertest.Safetensors(nil, tinyTensors(t)...)
	for _, test := range []struct {
		name string
		data []byte
		want []string // parts of the error
	}{
		{"wrong shape", changed(t, conv, func(x *loadertest.Tensor) bool {
			x.Shape = slices.Clone(x.Shape)
			x.Shape[0], x.Shape[1] = 2*x.Shape[0], x.Shape[1]/2
			return true
		}), []string{conv, "[64 16 3 3]", "[32 32 3 3]"}},
		{"missing tensor", changed(t, conv, func(*loadertest.Tensor) bool { return false }), []string{"missing", conv}},
		{"NaN", changed(t, conv, func(x *loadertest.Tensor) bool {
			binary.LittleEndian.PutUint32(x.Data[4*7:], math.Float32bits(float32(math.NaN())))
			return true
		}), []string{conv, "NaN"}},
		{"offset past the end", loadertest.Raw(`{"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}}`, make([]byte, 16)), []string{"corrupt"}},
		{"header of 2^60 bytes", append(binary.LittleEndian.AppendUint64(nil, 1<<60), "{}"...), []string{"corrupt", "header"}},
		{"cut short", whole[:len(whole)/2], []string{"corrupt"}},
		{"empty", nil, []string{"corrupt"}},
		{"no checkpoint", []byte("this is not a checkpoint at all"), []string{"corrupt"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := loadertest.File(t, "bad.safetensors", test.data)
			out := bitgpuRun(t, exitOpen, "run", "--validate", "--model", file, cat)
			wants(t, out.stderr, append(test.want, "bitgpu: ", file)...)
			if out.stdout != "" {
				t.Errorf("stdout: %s", out.stdout)
			}
		})
	}
}

// TestNoWeights names the places that were looked at and the way out.
func TestNoWeights(t *testing.T) {
	dir := t.TempDir()
	for _, command := range [][]string{{"run", cat}, {"embed", cat}, {"features", "--out", dir, cat}, {"bench"}} {
		out := run{args: command, env: []string{"BITGPU_MODELS=" + dir}}.do(t)
		out.exited(t, exitOpen, command)
		wants(t, out.stderr, "resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k_384", dir, "huggingface", "--model demo")
		if command[0] == "bench" {
			wants(t, out.stderr, "--weights random:golden")
		}
	}
}

func TestUnknownModel(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"--model ./none.safetensors", "no file or directory ./none.safetensors"},
		{"--model " + photos, "no checkpoint in the directory"},
		{"--model demo --weights random:golden", "name of a published model"},
	} {
		out := bitgpuRun(t, exitOpen, append([]string{"run", cat}, strings.Fields(test.args)...)...)
		wants(t, out.stderr, test.want)
	}
}

func TestUnknownDevice(t *testing.T) {
	out := bitgpuRun(t, exitOpen, demoArgs("run", "--device", "GeForce 256", cat)...)
	wants(t, out.stderr, "GeForce 256", "no such Vulkan device")
}

// TestDeviceLists runs on all devices, and refuses lists that make no sense.
func TestDeviceLists(t *testing.T) {
	alone := bitgpuRun(t, exitOK, demoArgs("run", "--format", "json", photos)...)
	all := bitgpuRun(t, exitOK, demoArgs("run", "--format", "json", "--device", "all", photos)...)
	if strings.Count(all.stdout, "\n") != strings.Count(alone.stdout, "\n") || !strings.Contains(all.stdout, `"cat"`) {
		t.Errorf("on all devices:\n%s\non one:\n%s", all.stdout, alone.stdout)
	}
	for list, want := range map[string]string{"0,0": "twice", "0,": "missing", "0,GeForce 256": "GeForce 256"} {
		for _, command := range []string{"run", "embed"} {
			wants(t, bitgpuRun(t, exitOpen, demoArgs(command, "--device", list, cat)...).stderr, want)
		}
	}
}

// TestNoVulkan has no loader: one error, which says what was tried.
func TestNoVulkan(t *testing.T) {
	for _, command := range [][]string{{"devices"}, demoArgs("run", cat)} {
		out := run{args: command, env: []string{"BITGPU_VULKAN=/nonexistent/libvulkan.so"}}.do(t)
		out.exited(t, exitOpen, command)
		wants(t, out.stderr, "BITGPU_VULKAN", "/nonexistent/libvulkan.so", "Vulkan")
		if strings.Count(out.stderr, "bitgpu: ") != 1 {
			t.Errorf("more than one error:\n%s", out.stderr)
		}
	}
}

// TestNoDevice has a loader without a driver: one error, which says what to install.
func TestNoDevice(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.json")
	if err := os.WriteFile(empty, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"devices"}, {"run", "--model", "demo", cat}} {
		out := run{args: command, env: []string{"VK_DRIVER_FILES=" + empty, "VK_ICD_FILENAMES=" + empty}}.do(t)
		out.exited(t, exitOpen, command)
		wants(t, out.stderr, "no such Vulkan device", "nstall")
		if strings.Count(out.stderr, "bitgpu: ") != 1 || out.stdout != "" {
			t.Errorf("more than one error:\n%s", out.stderr)
		}
	}
}
