#version 450
// Input conversion: a normalized float tensor to the stem's operand (layout in input_u8.comp).
//
//   binding 0  x: float [N][3][H][W]
//   binding 1  y: Block [N][H][ceil(W/2)]
// One invocation makes one block.
#extension GL_GOOGLE_include_directive : require
#include "block.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer X { float x[]; };
layout(std430, binding = 1) writeonly buffer Y { Block y[]; };
layout(push_constant) uniform Push { uint rows, width, height; }; // rows = N*H

void main() {
  uint blocks = (width + 1u) / 2u;
  uint bx = gl_GlobalInvocationID.x, row = gl_GlobalInvocationID.y;
  if (bx >= blocks || row >= rows) return;
  uint n = row / height, iy = row % height;
  float v[8];
  for (uint p = 0u; p < 2u; p++) {
    uint ix = 2u * bx + p;
    for (uint c = 0u; c < 3u; c++)
      v[4u * p + c] = ix < width ? x[((n * 3u + c) * height + iy) * width + ix] : 0.0;
    v[4u * p + 3u] = 0.0;
  }
  y[row * blocks + bx] = pack(v);
}
