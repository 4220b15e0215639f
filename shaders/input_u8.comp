#version 450
// Input conversion: uint8 pixels to the stem's operand.
//
//   y[n][iy][bx] = { lut[0][r0], lut[1][g0], lut[2][b0], 0,  lut[0][r1], lut[1][g1], lut[2][b1], 0 }
//
// where (r0, g0, b0) is pixel 2*bx and (r1, g1, b1) pixel 2*bx + 1 of row iy, zero past the right
// edge. Pairing columns turns the 7x7 stride-2 stem into a 7x4 convolution over blocks (net/stem).
//
//   binding 0  pixels: uint8 [N][H][W][BYTES], four bytes a word; BYTES is 3, or 4, of which the last is
//              not read
//   binding 1  lut: float [3][256], (u/255 - mean)/std for every byte value, made on the host so
//              that it equals the float32 arithmetic of the reference to the last bit
//   binding 2  y: Block [N][H][ceil(W/2)]
// One invocation makes one block.
#extension GL_GOOGLE_include_directive : require
#include "block.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint BYTES = 3u;
layout(std430, binding = 0) readonly buffer Pixels { uint pixels[]; };
layout(std430, binding = 1) readonly buffer Lut { float lut[]; };
layout(std430, binding = 2) writeonly buffer Y { Block y[]; };
layout(push_constant) uniform Push { uint rows, width; }; // rows = N*H

float value(uint row, uint x, uint c) {
  uint i = (row * width + x) * BYTES + c;
  uint byte = (pixels[i >> 2] >> (8u * (i & 3u))) & 255u;
  return lut[c * 256u + byte];
}

void main() {
  uint blocks = (width + 1u) / 2u;
  uint bx = gl_GlobalInvocationID.x, row = gl_GlobalInvocationID.y;
  if (bx >= blocks || row >= rows) return;
  float v[8];
  for (uint p = 0u; p < 2u; p++) {
    uint x = 2u * bx + p;
    for (uint c = 0u; c < 3u; c++) v[4u * p + c] = x < width ? value(row, x, c) : 0.0;
    v[4u * p + 3u] = 0.0;
  }
  y[row * blocks + bx] = pack(v);
}
