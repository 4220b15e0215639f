#version 450
// The stem's pool: a border of one zero pixel, then max over 3x3 with stride 2 and no padding
// (timm: ConstantPad2d(1, 0.0), MaxPool2d(3, 2, 0)). The zero takes part in the maximum.
//
//   binding 0  x: Block [planes][H][W]       planes = N * ceil(C/8)
//   binding 1  y: Block [planes][OH][OW]     OH = (H+2-3)/2+1
// One invocation makes one block; x of the grid runs over OH*OW, y over the planes.
#extension GL_GOOGLE_include_directive : require
#include "block.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer X { Block x[]; };
layout(std430, binding = 1) writeonly buffer Y { Block y[]; };
layout(push_constant) uniform Push { int height, width, outHeight, outWidth; };

void main() {
  int p = int(gl_GlobalInvocationID.x), plane = int(gl_GlobalInvocationID.y);
  if (p >= outHeight * outWidth) return;
  int oy = p / outWidth, ox = p % outWidth;
  float best[8];
  for (int c = 0; c < 8; c++) best[c] = -3.402823466e38;
  for (int t = 0; t < 9; t++) {
    int iy = 2 * oy - 1 + t / 3, ix = 2 * ox - 1 + t % 3;
    bool inside = uint(iy) < uint(height) && uint(ix) < uint(width);
    float v[8];
    unpack(x[(plane * height + (inside ? iy : 0)) * width + (inside ? ix : 0)], v);
    for (int c = 0; c < 8; c++) best[c] = max(best[c], inside ? v[c] : 0.0);
  }
  y[plane * outHeight * outWidth + p] = pack(best);
}
