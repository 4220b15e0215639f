#version 450
// Brings the operand of a convolution into panels (panel.glsl), normalized, for conv_panel.
//
//   binding 0  x: Block [N][inBlocks][H][W]
//   binding 1  norm: vec2 [N][inBlocks*8]                 (scale, shift); not read unless NORM
//   binding 2  v: panels of the pixels [first, first + pixels) of every image, of OH*OW
//
// An invocation makes a block: eight products of one pixel. The lanes of a subgroup, which has 8, load scale and shift
// of a channel each and hand them round: every load is made lane by lane. Grid: x = pixels, y = KH*KW*inBlocks,
// z = image.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : enable
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_basic : require
#define HALVES
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
layout(constant_id = 9) const int SUBGROUP = 8; // no other number
layout(std430, binding = 0) readonly buffer X { Half x[]; };
layout(std430, binding = 1) readonly buffer Norm { uint64_t norm[]; };
layout(std430, binding = 2) writeonly buffer V { float v[]; };
layout(push_constant) uniform Push { int height, width, outWidth, inBlocks, first, pixels; };

// GroupNorm and ReLU of channel i.
#define NORMALIZE(i)                                                                               \
  f[i] = max(fma(f[i], subgroupBroadcast(affine.x, i), subgroupBroadcast(affine.y, i)), 0.0);

void main() {
  int pixel = int(gl_GlobalInvocationID.x), row = int(gl_WorkGroupID.y), image = int(gl_WorkGroupID.z);
  int tap = row / inBlocks, block = row - tap * inBlocks;
  int p = first + min(pixel, pixels - 1), oy = p / outWidth, ox = p - oy * outWidth;
  int iy = oy * SH - PH + tap / KW, ix = ox * SW - PW + tap % KW;
  bool inside = uint(iy) < uint(height) && uint(ix) < uint(width);
  int at = ((image * inBlocks + block) * height * width + (inside ? iy * width + ix : 0)) * 2;
  float f[8], lo[4], hi[4];
  unpack(x[at], lo);
  unpack(x[at + 1], hi);
  [[unroll]] for (int i = 0; i < 4; i++) f[i] = lo[i], f[4 + i] = hi[i];
  if (NORM) {
    vec2 affine = uintBitsToFloat(unpackUint2x32(norm[(image * inBlocks + block) * 8 + int(gl_SubgroupInvocationID)]));
    NORMALIZE(0) NORMALIZE(1) NORMALIZE(2) NORMALIZE(3)
    NORMALIZE(4) NORMALIZE(5) NORMALIZE(6) NORMALIZE(7)
  }
  if (pixel >= pixels) return;
  at = panelAt(image, (pixels + P - 1) / P, pixel, KH * KW * inBlocks * 8, row * 8, P);
  [[unroll]] for (int i = 0; i < 8; i++) v[at + i * P] = inside ? f[i] : 0.0;
}
