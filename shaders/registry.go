package shaders

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
	MaxPool                 *Kernel
	GNStats, GNFinalize     *Kernel
	AvgPool, Linear, Export *Kernel
}

// For returns the kernels of a storage type. The result is shared and must not be changed.
func For(s Storage) *Set { return &sets[s] }

// All returns every kernel once.
func All() []*Kernel {
	var all []*Kernel
	for i := range sets {
		s := &sets[i]
		all = append(all, s.InputU8, s.InputF32, s.PackWeights, s.ConvLane, s.ConvTile, s.MaxPool,
			s.GNStats, s.AvgPool, s.Linear, s.Export)
	}
	return append(all, gnFinalize)
}

var sets = [...]Set{F32: set("_f32", "F16=0"), F16: set("_f16", "F16=1")}

// gnFinalize works on statistics only, which are binary32 in both sets.
var gnFinalize = &Kernel{
	Name:     "gn_finalize",
	Source:   "gn_finalize.comp",
	Bindings: []Access{Read, Read, Write},
	Push:     24,
	Spec:     []Spec{{"local_size_x", 64}},
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
	conv := []Spec{{"KH", 1}, {"KW", 1}, {"SH", 1}, {"SW", 1}, {"PH", 0}, {"PW", 0}, {"NORM", 0}, {"RESIDUAL", 0}}
	lane := append([]Spec{{"local_size_x", 8}}, conv...)
	convBindings := []Access{Read, Read, Read, Read, Write}
	return Set{
		InputU8:  kernel(Kernel{Name: "input_u8", Bindings: []Access{Read, Read, Write}, Push: 8}),
		InputF32: kernel(Kernel{Name: "input_f32", Bindings: []Access{Read, Write}, Push: 12}),
		PackWeights: kernel(Kernel{Name: "pack_weights", Bindings: []Access{Read, Write}, Push: 20,
			Spec: []Spec{{"DTYPE", 0}, {"STANDARDIZE", 1}, {"PAIR", 0}}}),
		ConvLane: kernel(Kernel{Name: "conv_lane", Bindings: convBindings, Push: 32,
			Spec: append(lane, Spec{"OUT", 2}, Spec{"PIXELS", 4}), OneSubgroup: true, Ballot: true, Int64: true}),
		ConvTile:   kernel(Kernel{Name: "conv_tile", Bindings: convBindings, Push: 32, Spec: conv}),
		MaxPool:    kernel(Kernel{Name: "maxpool", Bindings: []Access{Read, Write}, Push: 16}),
		GNStats:    kernel(Kernel{Name: "gn_stats", Bindings: []Access{Read, Write}, Push: 8}),
		GNFinalize: gnFinalize,
		AvgPool:    kernel(Kernel{Name: "avgpool", Bindings: []Access{Read, Read, Write}, Push: 4}),
		Linear:     kernel(Kernel{Name: "linear", Bindings: []Access{Read, Read, Read, Write}, Push: 16}),
		Export: kernel(Kernel{Name: "export", Bindings: []Access{Read, Read, Write}, Push: 8,
			Spec: []Spec{{"NORM", 0}}}),
	}
}
