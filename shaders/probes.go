package shaders

// ProbeSet is the kernels that measure what a device can do at most (package peak). No network runs
// them.
type ProbeSet struct {
	FMA  *Kernel // binary32 multiply-adds in registers
	Copy *Kernel // memory, 16 bytes at a time
}

// Probes returns the probes. The result is shared and must not be changed.
func Probes() *ProbeSet { return &probes }

var probes = ProbeSet{
	FMA: &Kernel{
		Name:     "peak_fma",
		Source:   "peak_fma.comp",
		Bindings: []Access{Write},
		Push:     8,
		Spec:     []Spec{{"local_size_x", 64}, {"STEPS", 32}, {"ROUNDS", 1}},
	},
	Copy: &Kernel{
		Name:     "peak_copy",
		Source:   "peak_copy.comp",
		Bindings: []Access{Read, Write},
		Spec:     []Spec{{"local_size_x", 64}},
	},
}

// Constants of the probes' sources.
const (
	ProbeChains  = 12 // CHAINS of peak_fma
	ProbeVectors = 4  // VECTORS of peak_copy
)
