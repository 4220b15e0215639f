#version 450
// Turns packed weights (pack_weights, winograd_weights) into the form of conv_panel, in place: in every square of eight
// output and eight input channels the output channels become consecutive.
//
//   binding 0  w: Block [squares][8], the eight output channels of a square; then its eight input channels
//
// An invocation turns one square. Grid: x = squares, in rows of `row` workgroups.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : enable
#include "block.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) buffer W { Block w[]; };
layout(push_constant) uniform Push { uint squares, row; };

void main() {
  uint square = (gl_WorkGroupID.y * row + gl_WorkGroupID.x) * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
  if (square >= squares) return;
  float v[8][8];
  [[unroll]] for (int o = 0; o < 8; o++) unpack(w[square * 8u + o], v[o]);
  [[unroll]] for (int i = 0; i < 8; i++) {
    float turned[8];
    [[unroll]] for (int o = 0; o < 8; o++) turned[o] = v[o][i];
    w[square * 8u + i] = pack(turned);
  }
}
