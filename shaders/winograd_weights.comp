#version 450
// Weight standardization (standardize.glsl), Winograd's transform of 3x3 filters (winograd.glsl) and
// packing, once, at load. Everything up to the one rounding to storage is binary32.
//
//   u[p*A + q] = (G w' GT)[p][q]
//
//   binding 0  raw: [O][I][9] as in the checkpoint
//   binding 1  u: Block [outBlocks][A*A][ceil(I/8)][8]; as pack_weights has it, the A*A transformed
//              weights in place of the nine
//
// One workgroup makes one output channel, in pieces as in pack_weights.
#extension GL_GOOGLE_include_directive : require
#include "block.glsl"
#define TILE_ID 3
#include "winograd.glsl"
#include "standardize.glsl"

layout(std430, binding = 1) writeonly buffer U { Block u[]; };
layout(push_constant) uniform Push { uint outputs, inputs; float eps; };

void main() {
  uint lane = gl_LocalInvocationID.x, row = gl_WorkGroupID.x;
  uint base = row * inputs * 9u, blocks = (inputs + 7u) / 8u;
  bool live = row < outputs;
  measure(live, base, inputs * 9u, eps);

  for (uint b = lane; b < blocks; b += SIZE) {
    float g[8][9];
    [[unroll]] for (uint i = 0u; i < 8u; i++) {
      uint c = 8u * b + i;
      [[unroll]] for (uint t = 0u; t < 9u; t++)
        g[i][t] = live && c < inputs ? standardized(base + c * 9u + t) : 0.0;
    }
    uint at = ((row >> 3) * A * A * blocks + b) * 8u + (row & 7u);
    for (int p = 0; p < A; p++) {
      float r[8][3];
      [[unroll]] for (int i = 0; i < 8; i++)
        [[unroll]] for (int x = 0; x < 3; x++)
          r[i][x] = transformWeight(p, g[i][x], g[i][3 + x], g[i][6 + x]);
      for (int q = 0; q < A; q++) {
        float v[8];
        [[unroll]] for (int i = 0; i < 8; i++) v[i] = transformWeight(q, r[i][0], r[i][1], r[i][2]);
        u[at] = pack(v);
        at += blocks * 8u;
      }
    }
  }
}
