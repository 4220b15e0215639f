package loader_test

import (
	"fmt"
	"log"

	"github.com/bitgpu/bitgpu/loader"
)

// A file of transformers gives its tensors under timm's names, whatever it is called.
func ExampleOpen() {
	f, err := loader.Open("../tests/testdata/checkpoints/transformers/pytorch_model.bin")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()

	fmt.Println(f.Form)
	fmt.Println(f.Tensors()[1].Name, f.Tensors()[1].Shape)
	values, err := loader.ReadFloat32(f, "norm.weight")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(values), "values,", f.Config.NumClasses, "classes")
	// Output:
	// PyTorch, transformers names
	// head.fc.weight [10 256 1 1]
	// 256 values, 10 classes
}
