#version 450
// Partial statistics for GroupNorm: mean and sum of squared deviations of every channel over a
// chunk of pixels. Each invocation sums deviations from the chunk's first pixel, so that a large
// mean costs no digits, and the parts are merged pairwise (moments.glsl).
//
//   binding 0  x: Block [N][planes][pixels]           planes = ceil(C/8)
//   binding 1  part: vec2 [N][chunks][planes][8]      (mean, sum of squared deviations)
//
// One workgroup makes the eight entries of one plane and chunk. Grid: x = plane, y = chunk, z = image.
#extension GL_GOOGLE_include_directive : require
#include "block.glsl"
#include "moments.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint SIZE = 64;
layout(std430, binding = 0) readonly buffer X { Block x[]; };
layout(std430, binding = 1) writeonly buffer Part { vec2 part[]; };
layout(push_constant) uniform Push { uint pixels, chunk; };

shared float counts[SIZE];
shared vec2 moments[8 * SIZE];

void main() {
  uint plane = gl_WorkGroupID.z * gl_NumWorkGroups.x + gl_WorkGroupID.x, lane = gl_LocalInvocationID.x;
  uint first = gl_WorkGroupID.y * chunk, last = min(first + chunk, pixels);
  uint base = plane * pixels;
  float shift[8], s[8], q[8];
  unpack(x[base + first], shift);
  for (int c = 0; c < 8; c++) s[c] = 0.0, q[c] = 0.0;
  float n = 0.0;
  for (uint p = first + lane; p < last; p += SIZE) {
    float v[8];
    unpack(x[base + p], v);
    for (int c = 0; c < 8; c++) {
      float d = v[c] - shift[c];
      s[c] += d;
      q[c] = fma(d, d, q[c]);
    }
    n += 1.0;
  }
  counts[lane] = n;
  for (int c = 0; c < 8; c++) {
    float mean = n > 0.0 ? s[c] / n : 0.0;
    moments[c * SIZE + lane] = vec2(shift[c] + mean, max(q[c] - s[c] * mean, 0.0));
  }
  barrier();
  for (uint c = lane; c < 8u; c += SIZE) {
    vec2 m = vec2(0.0);
    float count = 0.0;
    for (uint i = 0u; i < SIZE; i++) {
      m = merge(m, count, moments[c * SIZE + i], counts[i]);
      count += counts[i];
    }
    part[((gl_WorkGroupID.z * gl_NumWorkGroups.y + gl_WorkGroupID.y) * gl_NumWorkGroups.x + gl_WorkGroupID.x) * 8u + c] = m;
  }
}
