#version 450
// Brings the operand of a convolution into panels (panel.glsl), normalized, for conv_panel.
//
//   binding 0  x: Block [N][inBlocks][H][W]
//   binding 1  norm: vec2 [N][inBlocks*8]                 (scale, shift); not read unless NORM
//   binding 2  v: panels of the pixels [first, first + pixels) of every image, of OH*OW
//
// An invocation makes a block: eight products of one pixel. Grid: x = pixels, y = KH*KW*inBlocks, z = image.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : enable
#include "block.glsl"
#include "panel.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int P = 8;
layout(constant_id = 2) const int KH = 1;
layout(constant_id = 3) const int KW = 1;
layout(constant_id = 4) const int SH = 1;
layout(constant_id = 5) const int SW = 1;
layout(constant_id = 6) const int PH = 0;
layout(constant_id = 7) const int PW = 0;
layout(constant_id = 8) const bool NORM = false;
layout(std430, binding = 0) readonly buffer X { Block x[]; };
layout(std430, binding = 1) readonly buffer Norm { vec2 norm[]; };
layout(std430, binding = 2) writeonly buffer V { float v[]; };
layout(push_constant) uniform Push { int height, width, outWidth, inBlocks, first, pixels; };

void main() {
  int pixel = int(gl_GlobalInvocationID.x), row = int(gl_WorkGroupID.y), image = int(gl_WorkGroupID.z);
  if (pixel >= pixels) return;
  int tap = row / inBlocks, block = row - tap * inBlocks;
  int oy = (first + pixel) / outWidth, ox = first + pixel - oy * outWidth;
  int iy = oy * SH - PH + tap / KW, ix = ox * SW - PW + tap % KW;
  bool inside = uint(iy) < uint(height) && uint(ix) < uint(width);
  float f[8];
  unpack(x[(image * inBlocks + block) * height * width + (inside ? iy * width + ix : 0)], f);
  int at = panelAt(image, (pixels + P - 1) / P, pixel, KH * KW * inBlocks * 8, row * 8, P);
  [[unroll]] for (int i = 0; i < 8; i++) {
    if (NORM) {
      vec2 affine = norm[(image * inBlocks + block) * 8 + i];
      f[i] = max(fma(f[i], affine.x, affine.y), 0.0);
    }
    v[at + i * P] = inside ? f[i] : 0.0;
  }
}
