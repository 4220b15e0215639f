#version 450
// Weight standardization and packing, once, at load.
//
//   w' = (w - mean) / sqrt(var + eps)     over the I*KH*KW values of one output channel, biased
//                                         variance (timm.layers.StdConv2d); w' = w unless STANDARDIZE
//
// The mean is taken in two steps, the second over the deviations from the first's result. What is
// left then sums to zero far below the rounding of one weight. That matters twice: behind a ReLU an
// error in the mean adds up over all inputs, and where a filter's spread is far below its mean, so
// that eps decides, it would drown the filter.
//
//   binding 0  raw: [O][I][T] as in the checkpoint, T = KH*KW; DTYPE 0 binary32, 1 binary16, 2 bfloat16
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

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint SIZE = 64;
layout(constant_id = 1) const uint DTYPE = 0;
layout(constant_id = 2) const bool STANDARDIZE = true;
layout(constant_id = 3) const bool PAIR = false;
layout(std430, binding = 0) readonly buffer Raw { uint raw[]; };
layout(std430, binding = 1) writeonly buffer W { Block w[]; };
layout(push_constant) uniform Push { uint outputs, inputs, taps, kernelWidth; float eps; };

shared float partial[SIZE];

float weight(uint i) {
  if (DTYPE == 0) return uintBitsToFloat(raw[i]);
  uint pair = raw[i >> 1];
  if (DTYPE == 1) {
    vec2 v = unpackHalf2x16(pair);
    return (i & 1u) == 0u ? v.x : v.y;
  }
  return uintBitsToFloat((i & 1u) == 0u ? pair << 16 : pair & 0xffff0000u);
}

// Sums v over the workgroup.
float total(float v) {
  uint lane = gl_LocalInvocationID.x;
  barrier();
  partial[lane] = v;
  barrier();
  float s = 0.0;
  for (uint i = 0u; i < SIZE; i++) s += partial[i];
  return s;
}

void main() {
  uint lane = gl_LocalInvocationID.x, row = gl_WorkGroupID.x;
  uint filterSize = inputs * taps, base = row * filterSize;
  bool live = row < outputs;

  float origin = 0.0, mean = 0.0, scale = 1.0; // the mean is origin + mean
  if (STANDARDIZE) {
    float s = 0.0;
    if (live)
      for (uint i = lane; i < filterSize; i += SIZE) s += weight(base + i);
    origin = total(s) / float(filterSize);
    s = 0.0;
    float q = 0.0;
    if (live)
      for (uint i = lane; i < filterSize; i += SIZE) {
        float d = weight(base + i) - origin;
        s += d;
        q = fma(d, d, q);
      }
    mean = total(s) / float(filterSize);
    scale = 1.0 / sqrt(max(total(q) / float(filterSize) - mean * mean, 0.0) + eps);
  }

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
      v[i] = inside ? (weight(base + c * taps + tap) - origin - mean) * scale : 0.0;
    }
    w[(((row >> 3) * outTaps + t) * blocks + cb) * 8u + (row & 7u)] = pack(v);
  }
}
