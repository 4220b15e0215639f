// Command classify says what is in pictures.
//
//	go run ./classify ../docs/photos/*
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/bitgpu/bitgpu"
)

func main() {
	ctx := context.Background()
	m, err := bitgpu.Open(ctx, bitgpu.Demo, bitgpu.Options{}) // or bitgpu.DefaultModel, 0.9 GB
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	inputs := func(yield func(bitgpu.Input) bool) {
		for _, path := range os.Args[1:] {
			if !yield(bitgpu.Input{Path: path}) {
				return
			}
		}
	}
	for r := range m.Stream(ctx, inputs, bitgpu.Outputs{Logits: true}) {
		if r.Err != nil {
			fmt.Println(r.Input.Path, r.Err)
			continue
		}
		top := m.Top(r.Output.Logits.Data, 1)[0]
		fmt.Printf("%s: %s, %.1f %%\n", r.Input.Path, top.Label, 100*top.Prob)
	}
}
