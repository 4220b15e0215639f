#version 450
// Convolution for CPU drivers and small GPUs: one subgroup of 8 is a workgroup, no shared memory, no
// barrier. A workgroup makes OUT*8 output channels of 8*PIXELS consecutive pixels of one image. A
// lane holds PIXELS pixels; weights are loaded a channel a lane and handed round by broadcast, which
// costs one instruction where a uniform load costs eight. Operands come four channels at a time:
// with eight, the unrolled loop no longer fits the instruction cache. Interface in conv.glsl.
//
// Grid: x = tiles of 8*PIXELS pixels, y = tiles of OUT blocks, z = image.
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#define HALVES
#define OPERAND Half
#define AFFINE uint64_t
#include "conv.glsl"

layout(constant_id = 9) const int OUT = 2;
layout(constant_id = 10) const int PIXELS = 4;

float acc[OUT * 8 * PIXELS]; // [channel][pixel]
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
  const bool PADDED = PH > 0 || PW > 0;
  int lane = int(gl_SubgroupInvocationID);
  int pixels = outHeight * outWidth, plane = height * width, image = int(gl_WorkGroupID.z);
  int p0 = int(gl_WorkGroupID.x) * 8 * PIXELS + lane, b0 = int(gl_WorkGroupID.y) * OUT;

  [[unroll]] for (int i = 0; i < OUT * 8 * PIXELS; i++) acc[i] = 0.0;
#if !F16
  [[unroll]] for (int i = 0; i < OUT * 8 * PIXELS; i++) total[i] = 0.0;
#endif

  int iy[PIXELS], ix[PIXELS];
  [[unroll]] for (int j = 0; j < PIXELS; j++) {
    int p = min(p0 + j * 8, pixels - 1);
    iy[j] = p / outWidth * SH - PH;
    ix[j] = p % outWidth * SW - PW;
  }
  int wi[OUT];
  [[unroll]] for (int g = 0; g < OUT; g++)
    wi[g] = (min(b0 + g, outBlocks - 1) * KH * KW * inBlocks * 8 + lane) * 2;

  for (int t = 0; t < KH * KW; t++) {
    int ky = t / KW, kx = t - ky * KW;
    int xi[PIXELS];
    bool inside[PIXELS];
    [[unroll]] for (int j = 0; j < PIXELS; j++) {
      int py = iy[j] + ky, px = ix[j] + kx;
      inside[j] = !PADDED || (uint(py) < uint(height) && uint(px) < uint(width));
      xi[j] = 2 * (image * inBlocks * plane + (inside[j] ? py * width + px : 0));
    }
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

  [[unroll]] for (int g = 0; g < OUT; g++) {
    int block = b0 + g;
    if (block >= outBlocks) break;
    int yi = (image * planes + first + block) * pixels + p0;
    [[unroll]] for (int j = 0; j < PIXELS; j++) {
      if (p0 + j * 8 < pixels) {
        float v[8];
        [[unroll]] for (int i = 0; i < 8; i++) v[i] = acc[(g * 8 + i) * PIXELS + j];
#if !F16
        [[unroll]] for (int i = 0; i < 8; i++) v[i] += total[(g * 8 + i) * PIXELS + j];
#endif
        if (RESIDUAL) {
          float r[8];
          unpack(residual[yi + j * 8], r);
          [[unroll]] for (int i = 0; i < 8; i++) v[i] += r[i];
        }
        y[yi + j * 8] = pack(v);
      }
    }
  }
}
