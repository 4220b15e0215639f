#version 450
// Convolution for CPU drivers, on uniform texel buffers; the tiles are those of lane.glsl. lavapipe
// fetches a texel as one vector of 16 bytes a lane, a whole block, where it loads a storage buffer word
// by word with a branch before each. Two halves of 4 channels use a block, one after the other, so that
// only one half is unpacked at a time. Storage is binary16: a block is a texel. Interface in conv.glsl.
//
// A weight is handed round by two permutations: of a register's halves for four channels together, then
// within halves. The second costs a third of one across all lanes.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#define TEXELS
#define AFFINE uint64_t
#define DYNAMIC
#include "conv.glsl"
#include "lane.glsl"

// Four channels of a block.
void unpackHalf(uvec4 texel, int half_, out float v[4]) {
  vec2 p0 = unpackHalf2x16(half_ == 0 ? texel.x : texel.z);
  vec2 p1 = unpackHalf2x16(half_ == 0 ? texel.y : texel.w);
  v[0] = p0.x, v[1] = p0.y, v[2] = p1.x, v[3] = p1.y;
}

void main() {
  beginTile();
  uint inHalf = uint(lane & 3), half0 = uint(lane & 4);

  for (int t = 0; t < KH * KW; t++) {
    int ky = t / KW, kx = t - ky * KW;
    int xi[PIXELS];
    bool inside[PIXELS];
    [[unroll]] for (int j = 0; j < PIXELS; j++) xi[j] = blockAt(j, ky, kx, inside[j]);
    int ni = image * inBlocks * 8 + lane;
    for (int k = 0; k < inBlocks; k++) {
      uvec4 xq[PIXELS], wq[OUT];
      [[unroll]] for (int j = 0; j < PIXELS; j++) {
        xq[j] = texelFetch(x, xi[j]);
        xi[j] += plane;
      }
      [[unroll]] for (int g = 0; g < OUT; g++) {
        wq[g] = texelFetch(w, weights[g]);
        weights[g] += 8;
      }
      vec2 affine = vec2(0.0);
      if (NORM) affine = uintBitsToFloat(unpackUint2x32(norm[ni + 8 * k]));

      [[unroll]] for (int h = 0; h < 2; h++) {
        float xv[PIXELS * 4];
        [[unroll]] for (int j = 0; j < PIXELS; j++) {
          float v[4];
          unpackHalf(xq[j], h, v);
          [[unroll]] for (int u = 0; u < 4; u++) xv[j * 4 + u] = v[u];
        }
        if (NORM) {
          [[unroll]] for (int u = 0; u < 4; u++) {
            float scale = subgroupShuffle(affine.x, uint(4 * h + u));
            float shift = subgroupShuffle(affine.y, uint(4 * h + u));
            [[unroll]] for (int j = 0; j < PIXELS; j++)
              xv[j * 4 + u] = max(fma(xv[j * 4 + u], scale, shift), 0.0);
          }
        }
        if (PADDED) {
          [[unroll]] for (int j = 0; j < PIXELS; j++)
            [[unroll]] for (int u = 0; u < 4; u++) xv[j * 4 + u] = inside[j] ? xv[j * 4 + u] : 0.0;
        }
        [[unroll]] for (int g = 0; g < OUT; g++) {
          float wv[4], low[4], high[4];
          unpackHalf(wq[g], h, wv);
          [[unroll]] for (int u = 0; u < 4; u++) {
            low[u] = subgroupShuffle(wv[u], inHalf);
            high[u] = subgroupShuffle(wv[u], 4u | inHalf);
          }
          [[unroll]] for (int i = 0; i < 8; i++)
            [[unroll]] for (int u = 0; u < 4; u++) {
              float weight = subgroupShuffle(i < 4 ? low[u] : high[u], half0 | uint(i & 3));
              [[unroll]] for (int j = 0; j < PIXELS; j++)
                acc[(g * 8 + i) * PIXELS + j] =
                    fma(weight, xv[j * 4 + u], acc[(g * 8 + i) * PIXELS + j]);
            }
        }
      }
    }
  }
  endTile();
}
