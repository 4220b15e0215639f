package gpu

import (
	"errors"
	"fmt"

	"github.com/bitgpu/bitgpu/gpu/internal/vk"
)

// SPIR-V, as far as it is read here: a header of five words, then instructions, the first word of which has the
// length in words above the opcode. OpCapability instructions come first. (SPIR-V specification, 2.3, 2.4, 3.31.)
const (
	spirvMagic   = 0x07230203
	spirvHeader  = 5
	opCapability = 17
	opDecorate   = 71

	decorationBuiltIn    = 11
	builtInNumWorkgroups = 24
)

// checkCapabilities compares what a module declares to need with what the device has, in the capabilities
// that devices differ in and kernels use.
func checkCapabilities(info Info, subgroupOperations uint32, code []uint32) error {
	if len(code) < spirvHeader || code[0] != spirvMagic {
		return errors.New("not SPIR-V")
	}
	operation := func(bit uint32) bool { return subgroupOperations&bit != 0 }
	for at := spirvHeader; at < len(code) && code[at]&0xffff == opCapability; at += 2 {
		if at+1 >= len(code) || code[at]>>16 != 2 {
			return errors.New("damaged SPIR-V")
		}
		name, has := "", true
		switch code[at+1] {
		case 9:
			name, has = "Float16", info.Float16
		case 10:
			name, has = "Float64", false
		case 11:
			name, has = "Int64", info.Int64
		case 22:
			name, has = "Int16", false
		case 39:
			name, has = "Int8", false
		case 61:
			name, has = "GroupNonUniform", operation(vk.SubgroupBasic)
		case 62:
			name, has = "GroupNonUniformVote", operation(vk.SubgroupVote)
		case 63:
			name, has = "GroupNonUniformArithmetic", operation(vk.SubgroupArithmetic)
		case 64:
			name, has = "GroupNonUniformBallot", operation(vk.SubgroupBallot)
		case 65:
			name, has = "GroupNonUniformShuffle", operation(vk.SubgroupShuffle)
		case 66:
			name, has = "GroupNonUniformShuffleRelative", operation(vk.SubgroupShuffleRelative)
		case 67:
			name, has = "GroupNonUniformClustered", operation(vk.SubgroupClustered)
		case 68:
			name, has = "GroupNonUniformQuad", operation(vk.SubgroupQuad)
		case 4433:
			name, has = "StorageBuffer16BitAccess", info.Storage16
		case 4448:
			name, has = "StorageBuffer8BitAccess", false
		case 5347:
			name, has = "PhysicalStorageBufferAddresses", info.BufferAddress
		case 5345:
			name, has = "VulkanMemoryModel", len(info.Matrices) > 0
		case 6022:
			name, has = "CooperativeMatrixKHR", len(info.Matrices) > 0
		case 5430:
			name, has = "CooperativeMatrixReductionsNV", len(info.FlexibleMatrices) > 0
		case 5431:
			name, has = "CooperativeMatrixConversionsNV", false
		case 5432:
			name, has = "CooperativeMatrixPerElementOperationsNV", len(info.FlexibleMatrices) > 0
		case 5433:
			name, has = "CooperativeMatrixTensorAddressingNV", false
		case 5434:
			name, has = "CooperativeMatrixBlockLoadsNV", false
		case 5439:
			name, has = "TensorAddressingNV", false
		}
		if !has {
			return fmt.Errorf("needs %s, which %s does not have or this package does not switch on", name, info.Name)
		}
	}
	return nil
}

// countsWorkgroups says whether a module reads gl_NumWorkGroups, so that it must see all of a dispatch at once.
func countsWorkgroups(code []uint32) bool {
	for at := spirvHeader; at < len(code); {
		words := int(code[at] >> 16)
		if words == 0 || at+words > len(code) {
			return true // damaged
		}
		if code[at]&0xffff == opDecorate && words == 4 && code[at+2] == decorationBuiltIn && code[at+3] == builtInNumWorkgroups {
			return true
		}
		at += words
	}
	return false
}
