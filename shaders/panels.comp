#version 450
// Brings the operand of a convolution into panels (panel.glsl), normalized, for conv_panel.
//
//   binding 0  x: Block [N][inBlocks][H][W]
//   binding 1  norm: vec2 [N][inBlocks*8]                 (scale, shift); not read unless NORM
//   binding 2  v: panels of the pixels [first, first + pixels) of every image, of OH*OW
//
// An invocation makes BLOCKS blocks, which divides inBlocks: eight products each of one pixel. The lanes of a subgroup, which
// has 8, load scale and shift of a channel each and hand them round. Everything is read and written by address: outside of
// branches lavapipe gathers and scatters, where a storage buffer takes a branch for every lane.
// Grid: x = pixels, y = KH*KW*inBlocks/BLOCKS, z = image.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_buffer_reference : require
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
layout(constant_id = 10) const int BLOCKS = 1;
layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer Halves { Half v[2]; };
layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer Affine { uint64_t v; };
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Value { float v; };
layout(push_constant) uniform Push {
  Halves x;
  Affine norm;
  Value v;
  int height, width, outWidth, inBlocks, first, pixels;
};

#if F16
#define BLOCK_BYTES 16ul
#else
#define BLOCK_BYTES 32ul
#endif
const bool WHOLE = KH * KW * SH * SW == 1; // every pixel becomes one

// GroupNorm and ReLU of channel i of block b.
#define NORMALIZE(i)                                                                               \
  f[b * 8 + i] =                                                                                   \
      max(fma(f[b * 8 + i], subgroupBroadcast(affine.x, i), subgroupBroadcast(affine.y, i)), 0.0);

void main() {
  int lane = int(gl_SubgroupInvocationID);
  int pixel = int(gl_WorkGroupID.x * gl_WorkGroupSize.x) + int(gl_SubgroupID) * 8 + lane;
  int row = int(gl_WorkGroupID.y) * BLOCKS, image = int(gl_WorkGroupID.z);
  int p = first + min(pixel, pixels - 1), tap = 0;
  bool inside = true;
  if (!WHOLE) { // divisions are made lane by lane
    int oy = p / outWidth, ox = p - oy * outWidth;
    tap = row / inBlocks;
    int iy = oy * SH - PH + tap / KW, ix = ox * SW - PW + tap % KW;
    inside = uint(iy) < uint(height) && uint(ix) < uint(width);
    p = inside ? iy * width + ix : 0;
  }
  int plane = image * inBlocks + row - tap * inBlocks;
  uint64_t from = uint64_t(x) + uint64_t(plane * height * width + p) * BLOCK_BYTES;
  float f[BLOCKS * 8];
  [[unroll]] for (int b = 0; b < BLOCKS; b++) {
    Halves block = Halves(from + uint64_t(b) * uint64_t(height * width) * BLOCK_BYTES);
    float lo[4], hi[4];
    unpack(block.v[0], lo);
    unpack(block.v[1], hi);
    [[unroll]] for (int i = 0; i < 4; i++) f[b * 8 + i] = lo[i], f[b * 8 + 4 + i] = hi[i];
    if (NORM) {
      vec2 affine = uintBitsToFloat(unpackUint2x32(Affine(uint64_t(norm) + uint64_t((plane + b) * 64 + lane * 8)).v));
      NORMALIZE(0) NORMALIZE(1) NORMALIZE(2) NORMALIZE(3)
      NORMALIZE(4) NORMALIZE(5) NORMALIZE(6) NORMALIZE(7)
    }
  }
  if (pixel >= pixels) return;
  uint64_t to = uint64_t(v) + uint64_t(panelAt(image, (pixels + P - 1) / P, pixel, KH * KW * inBlocks * 8, row * 8, P)) * 4ul;
  [[unroll]] for (int i = 0; i < BLOCKS * 8; i++) Value(to + uint64_t(i * P * 4)).v = inside ? f[i] : 0.0;
}
