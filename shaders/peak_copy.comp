#version 450
// The most bytes a second that kernels can move through a device's memory: a copy.
//
//   binding 0  x: uvec4 [invocations * VECTORS]
//   binding 1  y: uvec4 [invocations * VECTORS]
// One invocation copies VECTORS times 16 bytes; neighbours copy neighbouring bytes at the same time.
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer X { uvec4 x[]; };
layout(std430, binding = 1) writeonly buffer Y { uvec4 y[]; };

const uint VECTORS = 4u;

void main() {
  uint first = gl_WorkGroupID.x * gl_WorkGroupSize.x * VECTORS + gl_LocalInvocationID.x;
  uvec4 v[VECTORS];
  [[unroll]] for (uint i = 0u; i < VECTORS; i++) v[i] = x[first + i * gl_WorkGroupSize.x];
  [[unroll]] for (uint i = 0u; i < VECTORS; i++) y[first + i * gl_WorkGroupSize.x] = v[i];
}
