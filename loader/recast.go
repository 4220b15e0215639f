package loader

// This file owns weights in another precision: a checkpoint whose tensors are
// rounded as they are read.

import (
	"fmt"
	"math"
)

// Recast returns c with its F32, F16 and BF16 tensors as dtype, one of the three,
// rounded to nearest even. A finite value that is too large for the type is an
// error of ReadTensor; pieces must begin and end between elements. Tensors of
// other types stay as they are. Closing the result closes c.
func Recast(c Checkpoint, dtype DType) Checkpoint {
	r := &recast{Checkpoint: c, dtype: dtype}
	for _, t := range c.Tensors() {
		if t.DType == F32 || t.DType == F16 || t.DType == BF16 {
			t.DType = dtype
		}
		r.tensors = append(r.tensors, t)
	}
	return r
}

type recast struct {
	Checkpoint
	dtype   DType
	tensors []TensorInfo
}

func (r *recast) Tensors() []TensorInfo { return r.tensors }

func (r *recast) ReadTensor(name string, p []byte, off int64) error {
	i, ok := findTensor(r.tensors, name)
	if !ok {
		return r.Checkpoint.ReadTensor(name, p, off) // whose error names the file
	}
	from, to := r.Checkpoint.Tensors()[i].DType, r.tensors[i].DType
	if from == to {
		return r.Checkpoint.ReadTensor(name, p, off)
	}
	size := int64(to.Size())
	if err := checkRange(name, r.tensors[i].Bytes(), off, len(p)); err != nil {
		return fmt.Errorf("loader: %w", err)
	}
	if off%size != 0 || int64(len(p))%size != 0 {
		return fmt.Errorf("loader: tensor %q: a piece of %d bytes at %d cuts elements of %v", name, len(p), off, to)
	}
	first := off / size
	raw := make([]byte, int64(len(p))/size*int64(from.Size()))
	if err := r.Checkpoint.ReadTensor(name, raw, first*int64(from.Size())); err != nil {
		return err
	}
	values := make([]float32, int64(len(p))/size)
	if err := DecodeFloat32(values, raw, from); err != nil {
		return err
	}
	most := largest(to)
	for i, v := range values {
		if math.Abs(float64(v)) >= most && !math.IsInf(float64(v), 0) {
			return fmt.Errorf("loader: tensor %q: element %d is %g, too large for %v", name, first+int64(i), v, to)
		}
	}
	_, err := AppendFloat32(p[:0], values, to)
	return err
}

// largest is from where on values round to infinity.
func largest(d DType) float64 {
	switch d {
	case F16:
		return 65520 // halfway from 65504 to 65536
	case BF16:
		return math.Ldexp(511, 119) // halfway from 255*2^120 to 256*2^120
	}
	return math.Inf(1)
}
