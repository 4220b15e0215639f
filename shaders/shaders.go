// Package shaders holds the compute kernels: their GLSL sources, the SPIR-V compiled from them
// (committed and embedded) and a registry that tells a host how to bind and launch each one.
//
// A kernel, its GLSL file and the plan step that uses it share one name. The registry is the only
// place that knows how a kernel is called; package gpu turns an entry into a pipeline, package net
// chooses entries. Rebuild the SPIR-V with `make shaders`.
package shaders

import (
	"embed"
	"encoding/binary"
	"fmt"
)

//go:embed spv/*.spv
var spirv embed.FS

// Access says what a kernel does with a buffer that is bound to it.
type Access uint8

const (
	Read Access = 1 << iota
	Write
	Texels // with Read: as a uniform texel buffer of uvec4, 16 bytes a texel; else it is a storage buffer
	// Address has the kernel read or write by address (GL_EXT_buffer_reference), without checks: the buffer is bound as
	// well, so that whoever records knows, but the kernel takes its address from the push constants.
	Address
	ReadWrite = Read | Write
)

// Kernel describes one compute kernel. Every kernel binds buffers only, all in descriptor
// set 0, binding i being Bindings[i]. Its entry point is main. Specialization constants are 32 bits
// wide and numbered from 0; constant 0 is always local_size_x, and local_size_y = local_size_z = 1.
type Kernel struct {
	Name        string   // also the name of the file spv/NAME.spv
	Source      string   // GLSL entry file in this folder
	Defines     []string // NAME=VALUE preprocessor definitions of this variant
	Bindings    []Access
	Push        int    // bytes of push constants, at most 256: first the addresses of the Address bindings, 8 bytes each
	Spec        []Spec // specialization constants, constant_id = index
	OneSubgroup bool   // the workgroup must be exactly one subgroup of local_size_x invocations
	Ballot      bool   // uses subgroup broadcast (GL_KHR_shader_subgroup_ballot)
	Int64       bool   // uses 64-bit integers (the feature shaderInt64)
	Matrix      bool   // uses cooperative matrices and fp16 arithmetic (VK_KHR_cooperative_matrix, shaderFloat16)
	Flexible    bool   // with Matrix: matrices of any size, their elements and sums (VK_NV_cooperative_matrix2)
	Subgroups   int    // the workgroup must be full subgroups of the size in this specialization constant; 0: any
	SPIRV       []byte // the code of a kernel that is not of this folder; nil for the file spv/NAME.spv
}

// Spec is a specialization constant of a kernel with its default value.
type Spec struct {
	Name    string
	Default uint32
}

// Addresses counts the bindings that the kernel reads by address.
func (k *Kernel) Addresses() (n int) {
	for _, a := range k.Bindings {
		if a&Address != 0 {
			n++
		}
	}
	return n
}

// Code returns the kernel's SPIR-V words.
func (k *Kernel) Code() ([]uint32, error) {
	b := k.SPIRV
	if b == nil {
		var err error
		if b, err = spirv.ReadFile("spv/" + k.Name + ".spv"); err != nil {
			return nil, fmt.Errorf("shaders: kernel %q: %w", k.Name, err)
		}
	}
	words := make([]uint32, len(b)/4)
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return words, nil
}
