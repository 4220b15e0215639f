package shaders_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/bitgpu/bitgpu/shaders"
)

// SPIR-V, as far as it is read here (SPIR-V specification, 2.3 and 3).
const (
	opCapability     = 17
	opTypeInt        = 21
	opTypeFloat      = 22
	opTypeArray      = 28
	opTypeStruct     = 30
	opTypePointer    = 32
	opConstant       = 43
	opSpecTrue       = 48
	opSpecFalse      = 49
	opSpecConstant   = 50
	opVariable       = 59
	opDecorate       = 71
	opMemberDecorate = 72

	capabilityInt64  = 11
	capabilityBallot = 64
	capabilityMatrix = 6022

	specID        = 1 // decorations
	nonWritable   = 24
	nonReadable   = 25
	binding       = 33
	descriptorSet = 34
	memberOffset  = 35

	uniformConstant = 0 // storage classes
	pushConstant    = 9
	storageBuffer   = 12
)

// module is what a SPIR-V module says of its interface. Numbers are the module's ids.
type module struct {
	capabilities map[uint32]bool
	decorations  map[uint32]map[uint32]uint32 // of an id: decoration to its operand
	members      map[uint32]map[uint32]uint32 // of a struct: decoration to the largest operand of its members
	count        map[uint32]map[uint32]int    // of a struct: decoration to how many members have it
	structs      map[uint32][]uint32          // a struct's member types
	pointee      map[uint32]uint32
	variables    map[uint32][][2]uint32 // by storage class: id and pointer type
	defaults     map[uint32]uint32      // of a specialization constant
	scalars      map[uint32]int         // bytes of a scalar type, or of an array of them
	constants    map[uint32]uint32
}

func parse(t *testing.T, k *shaders.Kernel) *module {
	t.Helper()
	code, err := k.Code()
	if err != nil {
		t.Fatal(err)
	}
	m := &module{
		map[uint32]bool{}, map[uint32]map[uint32]uint32{}, map[uint32]map[uint32]uint32{}, map[uint32]map[uint32]int{}, map[uint32][]uint32{},
		map[uint32]uint32{}, map[uint32][][2]uint32{}, map[uint32]uint32{}, map[uint32]int{},
		map[uint32]uint32{},
	}
	for at := 5; at < len(code); {
		length := int(code[at] >> 16)
		if length == 0 || at+length > len(code) {
			t.Fatalf("%s: damaged SPIR-V at word %d", k.Name, at)
		}
		m.instruction(code[at]&0xffff, code[at+1:at+length:at+length])
		at += length
	}
	return m
}

func (m *module) instruction(op uint32, w []uint32) {
	switch op {
	case opCapability:
		m.capabilities[w[0]] = true
	case opDecorate:
		if m.decorations[w[0]] == nil {
			m.decorations[w[0]] = map[uint32]uint32{}
		}
		m.decorations[w[0]][w[1]] = append(w, 0)[2]
	case opMemberDecorate:
		if m.members[w[0]] == nil {
			m.members[w[0]], m.count[w[0]] = map[uint32]uint32{}, map[uint32]int{}
		}
		m.members[w[0]][w[2]] = max(m.members[w[0]][w[2]], append(w, 0)[3])
		m.count[w[0]][w[2]]++
	case opTypeInt, opTypeFloat:
		m.scalars[w[0]] = int(w[1]) / 8
	case opConstant:
		m.constants[w[1]] = w[2]
	case opTypeArray:
		m.scalars[w[0]] = m.scalars[w[1]] * int(m.constants[w[2]])
	case opTypeStruct:
		m.structs[w[0]] = w[1:]
	case opTypePointer:
		m.pointee[w[0]] = w[2]
	case opVariable:
		m.variables[w[2]] = append(m.variables[w[2]], [2]uint32{w[1], w[0]})
	case opSpecTrue:
		m.defaults[w[1]] = 1
	case opSpecFalse:
		m.defaults[w[1]] = 0
	case opSpecConstant:
		m.defaults[w[1]] = w[2]
	}
}

// access is what the variable's buffer block may be used for.
func (m *module) access(id, pointer uint32) shaders.Access {
	block := m.pointee[pointer]
	has := func(d uint32) bool {
		_, ok := m.decorations[id][d]
		return ok || m.count[block][d] == len(m.structs[block])
	}
	access := shaders.ReadWrite
	if has(nonWritable) {
		access &^= shaders.Write
	}
	if has(nonReadable) {
		access &^= shaders.Read
	}
	return access
}

// push is the size of the push constants, of which the last is a scalar or an array of scalars, in bytes.
func (m *module) push() int {
	size := 0
	for _, v := range m.variables[pushConstant] {
		block := m.pointee[v[1]]
		members := m.structs[block]
		size = int(m.members[block][memberOffset]) + m.scalars[members[len(members)-1]]
	}
	return size
}

// addresses counts the push constants that are addresses.
func (m *module) addresses() (n int) {
	for _, v := range m.variables[pushConstant] {
		for _, member := range m.structs[m.pointee[v[1]]] {
			if _, ok := m.pointee[member]; ok {
				n++
			}
		}
	}
	return n
}

// TestRegistry compares every entry with its module: bindings and what is done with them, push
// constants, features, specialization constants and their defaults.
func TestRegistry(t *testing.T) {
	for _, k := range shaders.All() {
		t.Run(k.Name, func(t *testing.T) {
			m := parse(t, k)
			buffers := slices.Concat(m.variables[storageBuffer], m.variables[uniformConstant])
			bindings := make([]shaders.Access, len(k.Bindings))
			for i, b := range k.Bindings {
				if b&shaders.Address != 0 { // no variable
					bindings[i] = b
				}
			}
			if got := m.addresses(); got != k.Addresses() {
				t.Errorf("%d addresses, the registry says %d", got, k.Addresses())
			}
			for i, v := range buffers {
				d := m.decorations[v[0]]
				if d[descriptorSet] != 0 || int(d[binding]) >= len(bindings) {
					t.Fatalf("a buffer is bound to set %d, binding %d of %d", d[descriptorSet], d[binding], len(bindings))
				}
				bindings[d[binding]] = shaders.Read | shaders.Texels
				if i < len(m.variables[storageBuffer]) {
					bindings[d[binding]] = m.access(v[0], v[1])
				}
			}
			if !slices.Equal(bindings, k.Bindings) {
				t.Errorf("bindings %v, the registry says %v", bindings, k.Bindings)
			}
			if got := m.push(); got != k.Push {
				t.Errorf("%d bytes of push constants, the registry says %d", got, k.Push)
			}
			if ballot, int64 := m.capabilities[capabilityBallot], m.capabilities[capabilityInt64]; ballot != k.Ballot || int64 != k.Int64 {
				t.Errorf("ballot %v and 64-bit integers %v, the registry says %v and %v", ballot, int64, k.Ballot, k.Int64)
			}
			if matrix := m.capabilities[capabilityMatrix]; matrix != k.Matrix {
				t.Errorf("cooperative matrices: %v, the registry says %v", matrix, k.Matrix)
			}
			if k.Subgroups > 0 && (k.Subgroups >= len(k.Spec) || k.Spec[k.Subgroups].Name != "SUBGROUP") {
				t.Errorf("constant %d is not the size of subgroups", k.Subgroups)
			}
			m.checkSpec(t, k)
		})
	}
}

func (m *module) checkSpec(t *testing.T, k *shaders.Kernel) {
	found := map[string]bool{}
	for id, value := range m.defaults {
		number, ok := m.decorations[id][specID]
		if !ok || int(number) >= len(k.Spec) {
			t.Errorf("specialization constant %d (numbered: %v), the registry has %d", number, ok, len(k.Spec))
			continue
		}
		spec := k.Spec[number]
		found[spec.Name] = true
		// Hosts always give local_size_x, which GLSL cannot give a default.
		if number > 0 && spec.Default != value {
			t.Errorf("%s is %d by default, the registry says %d", spec.Name, value, spec.Default)
		}
	}
	for i, spec := range k.Spec {
		if !found[spec.Name] {
			t.Errorf("the module has no specialization constant %d, %s", i, spec.Name)
		}
	}
	if len(k.Spec) == 0 || k.Spec[0].Name != "local_size_x" {
		t.Error("specialization constant 0 is not local_size_x")
	}
}

// TestRegistryNames checks that kernels are found by name: each once, and with its storage's sizes.
func TestRegistryNames(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range shaders.All() {
		if seen[k.Name] {
			t.Errorf("%s is there twice", k.Name)
		}
		seen[k.Name] = true
	}
	for _, s := range storages {
		for _, k := range []*shaders.Kernel{shaders.For(s).ConvTile, shaders.For(s).PackWeights} {
			if define := fmt.Sprintf("F16=%d", 4/s.Size()-1); !seen[k.Name] || k.Defines[0] != define {
				t.Errorf("%s of %v: defined %v, want %s", k.Name, s, k.Defines, define)
			}
		}
	}
	missing := &shaders.Kernel{Name: "nothing"}
	if _, err := missing.Code(); err == nil {
		t.Error("the code of a kernel that is not there")
	}
}
