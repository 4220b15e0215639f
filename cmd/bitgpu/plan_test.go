package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestPlanTable(t *testing.T) {
	out := bitgpuRun(t, exitOK, "plan", "demo", "--precision", "fp32", "--size", "48", "--batch", "2")
	wants(t, out.stdout, "demo, 48x48, batch of 2, fp32\n", "workgroups", "stem.conv ", "head.fc ", " steps ", "MFLOP that the network needs; weights ", "  <0+", " >")
	if out.stderr != "" {
		t.Error(out.stderr)
	}
}

// TestPlanJSON adds the steps up, and wants their places within the arena.
func TestPlanJSON(t *testing.T) {
	out := bitgpuRun(t, exitOK, "plan", "--json", "--batch", "3", "demo")
	var p plan
	if err := json.Unmarshal([]byte(out.stdout), &p); err != nil {
		t.Fatal(err)
	}
	if p.Model != "demo" || p.Size != 64 || p.Batch != 3 || p.Precision != "fp16" || p.Device == "" || p.Input != 3*64*64*3 ||
		p.Weights < 2*2e6 || p.NetworkFLOPs == 0 || p.Output < 3*10*4 {
		t.Errorf("%+v", p)
	}
	var flops, read, written int64
	kinds := map[string]bool{}
	for _, s := range p.Steps {
		flops, read, written = flops+s.FLOPs, read+s.Read, written+s.Written
		kinds[s.Kind] = true
		if s.Name == "" || s.Kernel == "" || s.Groups[0]*s.Groups[1]*s.Groups[2] == 0 || s.Written <= 0 || s.Bound < s.Written {
			t.Errorf("%+v", s)
		}
		for _, a := range s.Arena {
			if a.Value == "" || a.Offset < 0 || a.Size <= 0 || a.Offset+a.Size > p.Arena {
				t.Errorf("%s: %+v", s.Name, a)
			}
		}
	}
	if flops != p.FLOPs || read != p.Read || written != p.Written || len(kinds) != 3 {
		t.Errorf("the steps have %d FLOPs, read %d and write %d: %+v", flops, read, written, p)
	}
}

// TestPlanWithoutWeights plans a published model whose weights are nowhere.
func TestPlanWithoutWeights(t *testing.T) {
	empty := t.TempDir()
	out := run{args: []string{"plan", "resnetv2_50x1_bit"}, env: []string{"BITGPU_MODELS=" + empty}}.do(t)
	out.exited(t, exitOK, nil)
	wants(t, out.stdout, "resnetv2_50x1_bit.goog_distilled_in1k, 224x224, batch of 1", "stages.2.blocks.5.conv2", "8178.4 MFLOP")
}

func TestPlanFails(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"no-such-model", "model not found"},
		{"demo --device nonesuch", "no such Vulkan device"},
		{"demo --batch 1000000", "too large"},
		{"demo --size 2000000000 --batch 2000000000", "too large"},
	} {
		out := bitgpuRun(t, exitOpen, append([]string{"plan"}, strings.Fields(test.args)...)...)
		wants(t, out.stderr, test.want)
		if out.stdout != "" {
			t.Error(out.stdout)
		}
	}
}
