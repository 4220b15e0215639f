package shaders

import "slices"

// Storage is the element type of activations and packed weights in device memory. Arithmetic is
// binary32 in either case.
type Storage uint8

const (
	F32 Storage = iota // IEEE binary32
	F16                // IEEE binary16, two to a word: needs no device feature
)

// String returns "fp32" or "fp16".
func (s Storage) String() string {
	if s == F16 {
		return "fp16"
	}
	return "fp32"
}

// Size is the size of one element in bytes.
func (s Storage) Size() int64 {
	if s == F16 {
		return 2
	}
	return 4
}

// Set is the kernels of one storage type. The comment of each GLSL file says what it computes and
// how its buffers lie in memory.
type Set struct {
	InputU8, InputF32       *Kernel
	PackWeights             *Kernel
	ConvLane, ConvTile      *Kernel
	ConvTexel               *Kernel // of F16 only, else nil
	ConvCoopmat             *Kernel // of F16 only, else nil
	ConvCoopmat2            *Kernel // of F16 only, else nil
	Panels, WinogradPanels  *Kernel // for ConvPanel
	ConvPanel               *Kernel
	TransposeWeights        *Kernel // for ConvPanel
	WinogradWeights         *Kernel
	WinogradInput           *Kernel
	WinogradOutput          *Kernel
	WinogradGather          *Kernel // for ConvPanel
	MaxPool                 *Kernel
	GNStats, GNFinalize     *Kernel
	GroupNorm               *Kernel
	AvgPool, Linear, Export *Kernel
}

// For returns the kernels of a storage type. The result is shared and must not be changed.
func For(s Storage) *Set { return &sets[s] }

// All returns every kernel once.
func All() []*Kernel {
	var all []*Kernel
	for i := range sets {
		s := &sets[i]
		all = append(all, s.InputU8, s.InputF32, s.PackWeights, s.ConvLane, s.ConvTile,
			s.Panels, s.WinogradPanels, s.ConvPanel, s.TransposeWeights,
			s.WinogradWeights, s.WinogradInput, s.WinogradOutput, s.WinogradGather, s.MaxPool,
			s.GNStats, s.GroupNorm, s.AvgPool, s.Linear, s.Export)
		if s.ConvTexel != nil {
			all = append(all, s.ConvTexel)
		}
		if s.ConvCoopmat != nil {
			all = append(all, s.ConvCoopmat, s.ConvCoopmat2)
		}
	}
	return append(all, gnFinalize, resize.Rows, resize.Columns, probes.FMA, probes.Copy)
}

var sets = [...]Set{F32: set("_f32", "F16=0"), F16: set("_f16", "F16=1")}

// gnFinalize works on statistics only, which are binary32 in both sets.
var gnFinalize = &Kernel{
	Name:     "gn_finalize",
	Source:   "gn_finalize.comp",
	Bindings: []Access{Read, Read, Write},
	Push:     32,
	Spec:     []Spec{{"local_size_x", 64}, {"JOINED", 0}},
}

func set(suffix, define string) Set {
	kernel := func(k Kernel) *Kernel {
		k.Source = k.Name + ".comp"
		k.Name += suffix
		k.Defines = []string{define}
		if k.Spec == nil || k.Spec[0].Name != "local_size_x" {
			k.Spec = append([]Spec{{"local_size_x", 64}}, k.Spec...)
		}
		return &k
	}
	layer := []Spec{{"KH", 1}, {"KW", 1}, {"PH", 0}, {"PW", 0}, {"NORM", 0}}
	conv := slices.Concat(layer, []Spec{{"SH", 1}, {"SW", 1}, {"RESIDUAL", 0}})
	lane := slices.Concat([]Spec{{"local_size_x", 8}}, layer, []Spec{{"OUT", 2}, {"PIXELS", 4}})
	unit := []Spec{{"local_size_x", 8}, {"NORM", 0}, {"BLOCKS", 1}}
	convBindings := []Access{Read, Read, Read, Read, Write}
	statsBindings := append(slices.Clone(convBindings), Write) // of members that also leave statistics
	set := Set{
		InputU8: kernel(Kernel{Name: "input_u8", Bindings: []Access{Read, Read, Write}, Push: 8,
			Spec: []Spec{{"BYTES", 3}}}),
		InputF32: kernel(Kernel{Name: "input_f32", Bindings: []Access{Read, Write}, Push: 12}),
		PackWeights: kernel(Kernel{Name: "pack_weights", Bindings: []Access{Read, Write}, Push: 20,
			Spec: []Spec{{"DTYPE", 0}, {"STANDARDIZE", 1}, {"PAIR", 0}}}),
		ConvLane: kernel(Kernel{Name: "conv_lane", Bindings: convBindings, Push: 48,
			Spec: lane, OneSubgroup: true, Ballot: true, Int64: true}),
		ConvTile: kernel(Kernel{Name: "conv_tile", Bindings: statsBindings, Push: 36,
			Spec: slices.Concat([]Spec{{"local_size_x", 64}}, conv, []Spec{{"STATS", 0}})}),
		Panels: kernel(Kernel{Name: "panels", Bindings: []Access{Read | Address, Read | Address, Write | Address}, Push: 3*8 + 18*4,
			OneSubgroup: true, Ballot: true, Int64: true, Spec: slices.Concat(unit, []Spec{{"WHOLE", 1}})}),
		ConvPanel: kernel(Kernel{Name: "conv_panel", Bindings: []Access{Read | Address, Read | Address, Read | Address, Write | Address},
			Push: 4*8 + 18*4 + 32*4, Ballot: true, Int64: true, Subgroups: 1,
			Spec: []Spec{{"SUBGROUP", 8}, {"P", 8}, {"KC", 64}}}),
		TransposeWeights: kernel(Kernel{Name: "transpose_weights", Bindings: []Access{ReadWrite}, Push: 8}),
		WinogradWeights: kernel(Kernel{Name: "winograd_weights", Bindings: []Access{Read, Write}, Push: 12,
			Spec: []Spec{{"DTYPE", 0}, {"STANDARDIZE", 1}, {"M", 4}}}),
		WinogradInput: kernel(Kernel{Name: "winograd_input", Bindings: []Access{Read, Read, Write}, Push: 28,
			Spec: []Spec{{"M", 4}, {"NORM", 0}}}),
		WinogradPanels: kernel(Kernel{Name: "winograd_panels", Bindings: []Access{Read | Address, Read | Address, Write | Address}, Push: 3*8 + 13*4,
			OneSubgroup: true, Ballot: true, Int64: true, Spec: slices.Concat(unit, []Spec{{"M", 4}})}),
		WinogradOutput: kernel(Kernel{Name: "winograd_output", Bindings: []Access{Read, Read, Write, Write}, Push: 28,
			Spec: []Spec{{"M", 4}, {"RESIDUAL", 0}, {"STATS", 0}}}),
		WinogradGather: kernel(Kernel{Name: "winograd_gather", Bindings: []Access{Read | Address, Read | Address, Write | Address}, Push: 3*8 + 28,
			OneSubgroup: true, Int64: true, Spec: []Spec{{"local_size_x", 8}, {"M", 4}, {"RESIDUAL", 0}}}),
		MaxPool:    kernel(Kernel{Name: "maxpool", Bindings: []Access{Read, Write}, Push: 16}),
		GNStats:    kernel(Kernel{Name: "gn_stats", Bindings: []Access{Read, Write}, Push: 8}),
		GNFinalize: gnFinalize,
		GroupNorm: kernel(Kernel{Name: "groupnorm", Bindings: []Access{Read | Address, Read | Address, Write | Address}, Push: 3*8 + 24,
			OneSubgroup: true, Int64: true, Spec: unit}),
		AvgPool: kernel(Kernel{Name: "avgpool", Bindings: []Access{Read, Read, Write}, Push: 4}),
		Linear:  kernel(Kernel{Name: "linear", Bindings: []Access{Read, Read, Read, Write}, Push: 16}),
		Export: kernel(Kernel{Name: "export", Bindings: []Access{Read, Read, Write}, Push: 8,
			Spec: []Spec{{"NORM", 0}}}),
	}
	if define == "F16=1" {
		set.ConvTexel = kernel(Kernel{Name: "conv_texel", Bindings: []Access{Read | Texels, Read | Texels, Read, Read, Write}, Push: 48,
			Spec: lane, OneSubgroup: true, Int64: true})
		coopmat := slices.Concat(conv, []Spec{{"PIXELS", 128}, {"CHANNELS", 128}, {"STEP", 4}, {"SUB_PIXELS", 64}, {"SUB_CHANNELS", 64},
			{"BUFFERS", 2}, {"SUBGROUP", 32}, {"ALIGNED", 0}, {"TN", 16}})
		set.ConvCoopmat = kernel(Kernel{Name: "conv_coopmat", Bindings: statsBindings, Push: 36, Matrix: true, Subgroups: 15,
			Spec: slices.Concat(coopmat, []Spec{{"TM", 16}, {"TK", 16}, {"STATS", 0}})})
		set.ConvCoopmat2 = kernel(Kernel{Name: "conv_coopmat2", Bindings: statsBindings, Push: 36, Matrix: true, Flexible: true, Subgroups: 15,
			Spec: slices.Concat(coopmat, []Spec{{"STATS", 0}})})
	}
	return set
}
