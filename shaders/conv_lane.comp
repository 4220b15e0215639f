#version 450
// Convolution for CPU drivers and small GPUs, on storage buffers; the tiles are those of lane.glsl. A
// broadcast of a weight costs one instruction where a uniform load costs eight. Operands come four
// channels at a time: with eight, the unrolled loop no longer fits the instruction cache. Interface in
// conv.glsl.
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#define HALVES
#define OPERAND Half
#define AFFINE uint64_t
#define DYNAMIC
#include "conv.glsl"
#include "lane.glsl"

#if !F16
float total[OUT * 8 * PIXELS]; // of the partial sums that are done
#endif

// Adds the products of channel g*8 + i with the operand.
#define ROW(i)                                                                                     \
  [[unroll]] for (int u = 0; u < 4; u++) {                                                         \
    float weight = subgroupBroadcast(wv[u], i);                                                    \
    [[unroll]] for (int j = 0; j < PIXELS; j++)                                                    \
      acc[(g * 8 + i) * PIXELS + j] = fma(weight, xv[j * 4 + u], acc[(g * 8 + i) * PIXELS + j]);   \
  }

// GroupNorm and ReLU of channel u.
#define NORMALIZE(u)                                                                               \
  {                                                                                                \
    float scale = subgroupBroadcast(affine.x, u), shift = subgroupBroadcast(affine.y, u);          \
    [[unroll]] for (int j = 0; j < PIXELS; j++)                                                    \
      xv[j * 4 + u] = max(fma(xv[j * 4 + u], scale, shift), 0.0);                                  \
  }

void main() {
  beginTile();
#if !F16
  [[unroll]] for (int i = 0; i < OUT * 8 * PIXELS; i++) total[i] = 0.0;
#endif
  int wi[OUT];
  [[unroll]] for (int g = 0; g < OUT; g++) wi[g] = 2 * weights[g];

  for (int t = 0; t < KH * KW; t++) {
    int ky = t / KW, kx = t - ky * KW;
    int xi[PIXELS];
    bool inside[PIXELS];
    [[unroll]] for (int j = 0; j < PIXELS; j++) xi[j] = 2 * blockAt(j, ky, kx, inside[j]);
    int ni = image * inBlocks * 8 + (lane & 3);
    for (int k = 0; k < 2 * inBlocks; k++) {
#if !F16
      if (k % (2 * SUM_BLOCKS) == 0) {
        [[unroll]] for (int i = 0; i < OUT * 8 * PIXELS; i++) total[i] += acc[i], acc[i] = 0.0;
      }
#endif
      float xv[PIXELS * 4];
      [[unroll]] for (int j = 0; j < PIXELS; j++) {
        float v[4];
        unpack(x[xi[j]], v);
        [[unroll]] for (int u = 0; u < 4; u++) xv[j * 4 + u] = v[u];
      }
      if (NORM) {
        vec2 affine = uintBitsToFloat(unpackUint2x32(norm[ni + 4 * k]));
        NORMALIZE(0) NORMALIZE(1) NORMALIZE(2) NORMALIZE(3)
      }
      if (PADDED) {
        [[unroll]] for (int j = 0; j < PIXELS; j++)
          [[unroll]] for (int u = 0; u < 4; u++) xv[j * 4 + u] = inside[j] ? xv[j * 4 + u] : 0.0;
      }
      [[unroll]] for (int g = 0; g < OUT; g++) {
        float wv[4];
        unpack(w[wi[g]], wv);
        ROW(0) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5) ROW(6) ROW(7)
      }
      bool odd = (k & 1) == 1; // the second half of a block: on to the next block
      [[unroll]] for (int j = 0; j < PIXELS; j++) xi[j] += odd ? 2 * plane - 1 : 1;
      [[unroll]] for (int g = 0; g < OUT; g++) wi[g] += odd ? 15 : 1;
    }
  }

#if !F16
  [[unroll]] for (int i = 0; i < OUT * 8 * PIXELS; i++) acc[i] += total[i];
#endif
  endTile();
}
