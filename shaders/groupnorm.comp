#version 450
// GroupNorm's parameters as one scale and one shift per image and channel, in one step, for CPU drivers: what gn_stats and
// gn_finalize do, without a second dispatch to wait for (unit.glsl). The last unit may be cut short.
//
//   binding 0  x: Block [N][blocks][pixels]
//   binding 1  affine: float [2][C]                   gamma, then beta
//   binding 2  norm: vec2 [N][blocks*8]               (scale, shift); zero past C
//
// Grid: x = units of `unit` blocks, y = image.
#extension GL_GOOGLE_include_directive : require
#include "unit.glsl"

layout(buffer_reference, std430, buffer_reference_align = 8) writeonly buffer Result { uint64_t v; };
layout(push_constant) uniform Push {
  Halves x;
  Affine affine;
  Result norm;
  int channels, blocks, pixels, unit, group;
  float eps;
};

void main() {
  lane = int(gl_SubgroupInvocationID);
  int image = int(gl_WorkGroupID.y), first = int(gl_WorkGroupID.x) * unit, count = min(unit, blocks - first);
  takeStatistics(uint64_t(x) + uint64_t((image * blocks + first) * pixels) * uint64_t(BLOCK_BYTES), count, group, pixels, eps);
  for (int b = 0; b < count; b++) {
    int channel = (first + b) * 8 + lane;
    vec2 affine_ = affineOf(uint64_t(affine), image, min(channel, channels - 1), channels, b * 8 + lane, group);
    if (channel >= channels) affine_ = vec2(0.0);
    Result(uint64_t(norm) + uint64_t((image * blocks * 8 + channel) * 8)).v = packUint2x32(floatBitsToUint(affine_));
  }
}
