package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/bitgpu/bitgpu"
	"github.com/bitgpu/bitgpu/net"
	"github.com/bitgpu/bitgpu/shaders"
	"github.com/spf13/cobra"
)

const planHelp = `Plan prints how a device runs a network, step by step: the kernel, its workgroups, the operations that it
does, what it reads and writes, and where in the arena its operands (<) and results (>) lie. Weights are not loaded
and need not be there for a published model. bitgpu bench --profile has the time of every step.`

func (a *app) planCommand() *cobra.Command {
	var o workload
	cmd := &cobra.Command{
		Use:     "plan MODEL",
		Short:   "Show how a device runs a network",
		Long:    planHelp,
		Example: "  bitgpu plan demo\n  bitgpu plan resnetv2_50x1_bit --batch 8 --json",
		Args:    cobra.ExactArgs(1),
		RunE: command(func(_ *cobra.Command, args []string) error {
			return a.plan(args[0], o)
		}),
	}
	o.add(cmd.Flags())
	return cmd
}

func (a *app) plan(model string, o workload) error {
	precision, err := o.parse()
	if err != nil {
		return err
	}
	p, err := bitgpu.NewPlan(model, bitgpu.PlanOptions{Device: o.device, Precision: precision, Batch: o.batch, Size: o.size})
	if err != nil {
		return cannotOpen(err)
	}
	out, plan := a.rows(o.json), newPlan(p)
	if o.json {
		return jsonLine(out, plan)
	}
	plan.print(out)
	return out.Flush()
}

// plan is the JSON of bitgpu plan. Sizes are in bytes; FLOPs, of all steps and of each, are what the kernels do,
// and NetworkFLOPs two for every multiply-add that the network needs.
type plan struct {
	Model        string     `json:"model"`
	Size         int        `json:"size"`
	Batch        int        `json:"batch"`
	Precision    string     `json:"precision"`
	Device       string     `json:"device"`
	Driver       string     `json:"driver"`
	Weights      int64      `json:"weight_bytes"`
	Arena        int64      `json:"arena_bytes"`
	Input        int64      `json:"input_bytes"`
	Output       int64      `json:"output_bytes"`
	NetworkFLOPs int64      `json:"network_flops"`
	FLOPs        int64      `json:"flops"`
	Read         int64      `json:"read_bytes"`
	Written      int64      `json:"written_bytes"`
	Steps        []planStep `json:"steps"`
}

type planStep struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	Kernel  string    `json:"kernel"`
	Groups  [3]uint32 `json:"groups"` // workgroups
	FLOPs   int64     `json:"flops"`
	Bound   int64     `json:"bound_bytes"`
	Read    int64     `json:"read_bytes"`
	Written int64     `json:"written_bytes"`
	Arena   []place   `json:"arena"`
}

// place is a binding in the arena.
type place struct {
	Value   string `json:"value"`
	Offset  int64  `json:"offset"`
	Size    int64  `json:"size"`
	Written bool   `json:"written"`
}

func newPlan(p *bitgpu.Plan) *plan {
	all := &plan{
		Model: p.Model, Size: p.Graph.Height, Batch: p.Batch, Precision: p.Target.Storage.String(),
		Device: p.Device.Name, Driver: driver(p.Device),
		Weights: p.WeightBytes(), Arena: p.ArenaSize, Input: p.InputSize, Output: p.OutputSize, NetworkFLOPs: p.FLOPs(),
	}
	for _, s := range p.Steps {
		read, written := s.Traffic()
		step := planStep{s.Name, p.Kind(s).String(), s.Kernel.Name, s.Groups, s.FLOPs, s.Bytes(), read, written, places(s)}
		all.Steps = append(all.Steps, step)
		all.FLOPs += step.FLOPs
		all.Read += read
		all.Written += written
	}
	return all
}

// places lists the ranges of the arena that a step binds, each once.
func places(s net.Step) []place {
	list := []place{}
	seen := map[place]bool{}
	for i, r := range s.Refs {
		p := place{r.Name, r.Offset, r.Size, s.Kernel.Bindings[i]&shaders.Write != 0}
		if r.Space == net.ArenaSpace && !seen[p] {
			seen[p] = true
			list = append(list, p)
		}
	}
	return list
}

// print writes the plan as a table. Errors of out are its Flush's.
func (p *plan) print(out io.Writer) {
	fmt.Fprintf(out, "%s, %dx%d, batch of %d, %s\n", printable(p.Model), p.Size, p.Size, p.Batch, p.Precision)
	fmt.Fprintf(out, "%s, %s\n", printable(p.Device), printable(p.Driver))
	line := func(name, kernel, groups, flops, bound, read, written, arena string) {
		text := fmt.Sprintf("%-34s %-16s %16s %10s %7s %7s %7s  %s", name, kernel, groups, flops, bound, read, written, arena)
		fmt.Fprintln(out, strings.TrimRight(text, " "))
	}
	mega := func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }
	line("step", "kernel", "workgroups", "MFLOP", "bound", "read", "written", "arena")
	var bound int64
	for _, s := range p.Steps {
		var arena []string
		for _, a := range s.Arena {
			mark := "<"
			if a.Written {
				mark = ">"
			}
			arena = append(arena, fmt.Sprintf("%s%d+%d", mark, a.Offset, a.Size))
		}
		groups := fmt.Sprintf("%dx%dx%d", s.Groups[0], s.Groups[1], s.Groups[2])
		line(s.Name, s.Kernel, groups, mega(s.FLOPs), short(s.Bound), short(s.Read), short(s.Written), strings.Join(arena, " "))
		bound += s.Bound
	}
	line(fmt.Sprintf("%d steps", len(p.Steps)), "", "", mega(p.FLOPs), short(bound), short(p.Read), short(p.Written), "")
	fmt.Fprintf(out, "%s MFLOP that the network needs; weights %s, arena %s, input %s, output %s\n",
		mega(p.NetworkFLOPs), size(p.Weights), size(p.Arena), size(p.Input), size(p.Output))
}
