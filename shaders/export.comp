#version 450
// Feature maps for the host: NCHW8c blocks to float NCHW, with GroupNorm and ReLU applied on the
// way where NORM is set (timm's forward_features), as they are where it is not.
//
//   binding 0  x: Block [N][C8][pixels]
//   binding 1  norm: vec2 [N][C8*8]           (scale, shift); not read unless NORM
//   binding 2  y: float [N][C][pixels]
// One invocation converts one block; x of the grid runs over the pixels, y over N*C8.
#extension GL_GOOGLE_include_directive : require
#include "block.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const bool NORM = false;
layout(std430, binding = 0) readonly buffer X { Block x[]; };
layout(std430, binding = 1) readonly buffer Norm { vec2 norm[]; };
layout(std430, binding = 2) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { uint pixels, channels; };

void main() {
  uint p = gl_GlobalInvocationID.x, plane = gl_GlobalInvocationID.y;
  if (p >= pixels) return;
  uint blocks = (channels + 7u) / 8u, n = plane / blocks, c0 = plane % blocks * 8u;
  float v[8];
  unpack(x[plane * pixels + p], v);
  for (uint c = 0u; c < 8u && c0 + c < channels; c++) {
    float f = v[c];
    if (NORM) {
      vec2 ss = norm[plane * 8u + c];
      f = max(fma(f, ss.x, ss.y), 0.0);
    }
    y[(n * channels + c0 + c) * pixels + p] = f;
  }
}
