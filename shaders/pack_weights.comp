#version 450
// Weight standardization (standardize.glsl) and packing, once, at load.
//
//   binding 0  raw: [O][I][T] as in the checkpoint, T = KH*KW
//   binding 1  w: Block [outBlocks][taps][ceil(I/8)][8]; the block (ob, t, cb, l) holds
//              w'[8*ob + l][8*cb .. 8*cb + 7][t], zero past O and I
//
// PAIR packs the 7x7 stem over column pairs instead (operand in input_u8.comp): taps = KH*4 and
// the block of tap (ky, bx) holds w'[o][c][ky][2*bx + p - 1] at 4*p + c.
//
// One workgroup makes one output channel. Large tensors pass through in pieces of whole rows: raw, w
// and outputs are then those of the piece.
#extension GL_GOOGLE_include_directive : require
#include "block.glsl"
#include "standardize.glsl"

layout(constant_id = 3) const bool PAIR = false;
layout(std430, binding = 1) writeonly buffer W { Block w[]; };
layout(push_constant) uniform Push { uint outputs, inputs, taps, kernelWidth; float eps; };

void main() {
  uint lane = gl_LocalInvocationID.x, row = gl_WorkGroupID.x;
  uint base = row * inputs * taps;
  bool live = row < outputs;
  measure(live, base, inputs * taps, eps);

  uint blocks = PAIR ? 1u : (inputs + 7u) / 8u;
  uint outTaps = PAIR ? taps / kernelWidth * 4u : taps;
  for (uint b = lane; b < outTaps * blocks; b += SIZE) {
    uint t = b / blocks, cb = b % blocks;
    float v[8];
    for (uint i = 0u; i < 8u; i++) {
      uint c = PAIR ? i & 3u : 8u * cb + i;
      uint tap = t;
      bool inside = live && c < inputs;
      if (PAIR) {
        uint kx = 2u * (t & 3u) + (i >> 2);
        inside = inside && kx > 0u && kx <= kernelWidth;
        tap = (t >> 2) * kernelWidth + kx - 1u;
      }
      v[i] = inside ? standardized(base + c * taps + tap) : 0.0;
    }
    w[(((row >> 3) * outTaps + t) * blocks + cb) * 8u + (row & 7u)] = pack(v);
  }
}
