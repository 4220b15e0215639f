// Package demo holds the demo network, a small BiT network that is embedded in
// every program that imports this package (4 MB): CIFAR-10's ten classes,
// 64x64 pixels, 2.0 M parameters as F16, 83.3 % top-1. CARD.md says how it was
// trained and what it can and cannot do.
package demo

import (
	_ "embed"
	"strings"

	"github.com/bitgpu/bitgpu/loader"
)

//go:embed model.safetensors
var model string

//go:embed config.json
var config string

// Checkpoint opens the network's weights. They are read from the program's own
// file; closing releases nothing.
func Checkpoint() (loader.Checkpoint, error) {
	return loader.NewSafetensors(strings.NewReader(model), int64(len(model)), "demo model.safetensors")
}

// Config returns the network's configuration. It is the caller's to change.
func Config() (*loader.Config, error) {
	return loader.ParseConfig([]byte(config), "demo config.json")
}
