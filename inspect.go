package bitgpu

import (
	"fmt"

	"github.com/bitgpu/bitgpu/loader"
	"github.com/bitgpu/bitgpu/net"
)

// Inspection is what a checkpoint holds.
type Inspection struct {
	Name string
	Path string      // the file; "" if the weights are part of the program
	Form loader.Form // how it is stored
	// Tensors has them under timm's names, if they are a BiT network's.
	Tensors []loader.TensorInfo

	// NoBiT says why the tensors are no BiT network's; nil if they are. Then what follows is zero.
	NoBiT        error
	Architecture string // timm's name of it; "" if timm has none
	Config       net.Config
	Parameters   int64
	Preprocess   loader.Preprocess
	Size         int   // height and width of the picture that is counted for
	MACs         int64 // multiply-adds of the convolutions and the classifier
	Activations  int64 // elements that these put out, as timm and fvcore count
}

// Inspect looks at a checkpoint without reading its weights. name is one that Open takes and that is on this
// machine; size is the height and width of the picture that work is counted for, 0 for the model's own. The
// errors are those of Open, but a file that holds other tensors than a BiT network's is none.
func Inspect(name string, size int) (*Inspection, error) {
	i, err := inspect(name, size)
	if err != nil {
		return nil, fmt.Errorf("bitgpu: %w", err)
	}
	return i, nil
}

func inspect(name string, size int) (*Inspection, error) {
	f, err := openNamed(name, nil)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	i := &Inspection{Name: name, Path: f.Path, Form: f.Form, Tensors: f.Tensors()}
	s, err := describe(name, f, f.Config)
	if err != nil {
		i.NoBiT = err
		return i, nil
	}
	i.Config, i.Architecture, i.Parameters, i.Preprocess = s.info.Config, architectureOf(s.info.Config), s.info.Parameters, s.info.Preprocess
	if i.Size = size; size == 0 {
		i.Size = i.Preprocess.Size
	}
	if i.Size > mostPlanned {
		return nil, fmt.Errorf("%w: pictures of %dx%d", net.ErrTooLarge, i.Size, i.Size)
	}
	g, err := net.NewGraph(i.Config, i.Size, i.Size, answer(i.Config))
	if err != nil {
		return nil, err
	}
	i.MACs, i.Activations = g.TotalMACs(), g.Activations()
	return i, nil
}
