#version 450
// Global average pool of the normalized features: y[n][c] = mean over pixels of
// max(x * scale + shift, 0), the final GroupNorm and ReLU applied while loading.
//
//   binding 0  x: Block [N*ceil(C/8)][pixels]
//   binding 1  norm: vec2 [N][ceil(C/8)*8]       (scale, shift) from gn_finalize
//   binding 2  y: float [N][ceil(C/8)*8]
// One workgroup makes the eight channels of one plane.
#extension GL_GOOGLE_include_directive : require
#include "block.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint SIZE = 64;
layout(std430, binding = 0) readonly buffer X { Block x[]; };
layout(std430, binding = 1) readonly buffer Norm { vec2 norm[]; };
layout(std430, binding = 2) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { uint pixels; };

shared float sums[8 * SIZE];

void main() {
  uint plane = gl_WorkGroupID.x, lane = gl_LocalInvocationID.x;
  float s[8];
  for (int c = 0; c < 8; c++) s[c] = 0.0;
  for (uint p = lane; p < pixels; p += SIZE) {
    float v[8];
    unpack(x[plane * pixels + p], v);
    for (int c = 0; c < 8; c++) {
      vec2 ss = norm[plane * 8u + c];
      s[c] += max(fma(v[c], ss.x, ss.y), 0.0);
    }
  }
  for (int c = 0; c < 8; c++) sums[c * SIZE + lane] = s[c];
  barrier();
  for (uint c = lane; c < 8u; c += SIZE) {
    float total = 0.0;
    for (uint i = 0u; i < SIZE; i++) total += sums[c * SIZE + i];
    y[plane * 8u + c] = total / float(pixels);
  }
}
