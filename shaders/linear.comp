#version 450
// The classifier: y[n][o] = bias[o] + sum over c of w[o][c] * x[n][c].
//
//   binding 0  x: float [N][C8*8]                        from avgpool
//   binding 1  w: Block [ceil(O/8)][C8][8]               packed rows (see pack_weights.comp)
//   binding 2  bias: float [O]
//   binding 3  y: float [N][O]
// One invocation makes one output; workgroup y = image.
#extension GL_GOOGLE_include_directive : require
#include "block.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer X { vec4 x[]; };
layout(std430, binding = 1) readonly buffer W { Block w[]; };
layout(std430, binding = 2) readonly buffer Bias { float bias[]; };
layout(std430, binding = 3) writeonly buffer Y { float y[]; };
// first: the first output of this dispatch, whose weights are at the start of w; outputs: how many
// it makes; stride: O.
layout(push_constant) uniform Push { uint outputs, blocks, first, stride; };

void main() {
  uint o = gl_GlobalInvocationID.x, n = gl_WorkGroupID.y;
  if (o >= outputs) return;
  float s[8];
  for (int i = 0; i < 8; i++) s[i] = 0.0;
  for (uint k = 0u; k < blocks; k++) {
    float v[8];
    unpack(w[((o >> 3) * blocks + k) * 8u + (o & 7u)], v);
    vec4 lo = x[(n * blocks + k) * 2u], hi = x[(n * blocks + k) * 2u + 1u];
    for (int i = 0; i < 4; i++) {
      s[i] = fma(v[i], lo[i], s[i]);
      s[4 + i] = fma(v[4 + i], hi[i], s[4 + i]);
    }
  }
  y[n * stride + first + o] =
      bias[first + o] + (((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7])));
}
