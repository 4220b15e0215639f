#version 450
// The second pass of a resize: the columns of a picture, whose rows have their final width, get their
// final height.
//
//   y[iy][x] = sum over j of table[iy].weight[j] * rows[first(iy) + j][x]          see resize.glsl
//
//   binding 0  rows: uint [rows][width], as resize_rows writes them; behind the last one there are 4*quads
//              rows that may be read
//   binding 1  table, of height samples
//   binding 2  y: uint [height][width] from word origin on, R, G, B and a zero from the lowest byte on
// One invocation makes COLUMNS pixels of row iy, a part of the width apart; they share the weights.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : enable
#include "resize.glsl"

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer Rows { uint rows[]; };
layout(std430, binding = 1) readonly buffer Table { ivec4 table[]; };
layout(std430, binding = 2) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push { uint origin, width, quads; };

const uint COLUMNS = 4u;

void main() {
  uint x0 = gl_GlobalInvocationID.x, iy = gl_GlobalInvocationID.y;
  uint part = (width + COLUMNS - 1u) / COLUMNS;
  if (x0 >= part) return;
  uint at = iy * (1u + quads), row = uint(table[at].x) * width;
  uint x[COLUMNS];
  ivec3 sum[COLUMNS];
  [[unroll]] for (uint c = 0u; c < COLUMNS; c++) {
    x[c] = min(x0 + c * part, width - 1u);
    sum[c] = ivec3(HALF);
  }
  for (uint q = 1u; q <= quads; q++) {
    ivec4 k = table[at + q];
    [[unroll]] for (uint t = 0u; t < 4u; t++) {
      [[unroll]] for (uint c = 0u; c < COLUMNS; c++) sum[c] += k[t] * channels(rows[row + x[c]]);
      row += width;
    }
  }
  [[unroll]] for (uint c = 0u; c < COLUMNS; c++) {
    if (x0 + c * part < width) y[origin + iy * width + x[c]] = toPixel(sum[c]);
  }
}
