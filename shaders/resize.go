package shaders

// ResizeSet is the kernels that resize pictures, one for each direction. They know no storage type:
// pixels are bytes, in both.
type ResizeSet struct {
	Rows    *Kernel // the rows get their final width; the first pass
	Columns *Kernel // the columns get their final height
}

// Resize returns the kernels that resize. The result is shared and must not be changed.
func Resize() *ResizeSet { return &resize }

var resize = ResizeSet{
	Rows: &Kernel{
		Name:     "resize_rows",
		Source:   "resize_rows.comp",
		Bindings: []Access{Read, Read, Write},
		Push:     20,
		Spec:     []Spec{{"local_size_x", 32}, {"BYTES", 3}, {"SWAP", 0}},
	},
	Columns: &Kernel{
		Name:     "resize_columns",
		Source:   "resize_columns.comp",
		Bindings: []Access{Read, Read, Write},
		Push:     12,
		Spec:     []Spec{{"local_size_x", 32}},
	},
}

// Pixels of one invocation of the kernels that resize.
const (
	ResizeRows    = 4 // ROWS of resize_rows
	ResizeColumns = 4 // COLUMNS of resize_columns
)
