#version 450
// The first pass of a resize: every row of a picture gets its final width.
//
//   y[row][x] = sum over j of table[x].weight[j] * source[row][first(x) + j]      see resize.glsl
//
//   binding 0  source: rows of pixels from word origin on, stride words from one to the next; a pixel is
//              BYTES bytes: 3 (R, G, B), or 4, of which the last does not count. Behind the last row there
//              are 4*quads pixels and a word that may be read
//   binding 1  table, of width samples
//   binding 2  y: uint [rows][width], R, G, B from the lowest byte on; SWAP exchanges R and B
// One invocation makes pixel x of ROWS rows, which share the weights.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : enable
#include "resize.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint BYTES = 3u;
layout(constant_id = 2) const bool SWAP = false;
layout(std430, binding = 0) readonly buffer Source { uint source[]; };
layout(std430, binding = 1) readonly buffer Table { ivec4 table[]; };
layout(std430, binding = 2) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push { uint origin, stride, rows, width, quads; };

const uint ROWS = 4u;

// The word of the bytes from bit shift of lo on.
uint funnel(uint lo, uint hi, uint shift) { return (lo >> shift) | ((hi << 1) << (31u - shift)); }

void main() {
  uint x = gl_GlobalInvocationID.x, row0 = gl_GlobalInvocationID.y * ROWS;
  if (x >= width) return;
  uint at = x * (1u + quads), first = uint(table[at].x) * BYTES;
  uint shift = 8u * (first & 3u);
  uint word[ROWS], carry[ROWS];
  ivec3 sum[ROWS];
  [[unroll]] for (uint r = 0u; r < ROWS; r++) {
    word[r] = origin + min(row0 + r, rows - 1u) * stride + (first >> 2);
    sum[r] = ivec3(HALF);
    carry[r] = BYTES == 3u ? source[word[r]] : 0u;
  }
  for (uint q = 1u; q <= quads; q++) {
    ivec4 k = table[at + q];
    [[unroll]] for (uint r = 0u; r < ROWS; r++) {
      uint i = word[r], p0, p1, p2, p3;
      if (BYTES == 3u) {
        uint w1 = source[i + 1u], w2 = source[i + 2u], w3 = source[i + 3u];
        uint a = funnel(carry[r], w1, shift), b = funnel(w1, w2, shift), c = funnel(w2, w3, shift);
        carry[r] = w3;
        p0 = a, p1 = (a >> 24) | (b << 8), p2 = (b >> 16) | (c << 16), p3 = c >> 8;
      } else {
        p0 = source[i], p1 = source[i + 1u], p2 = source[i + 2u], p3 = source[i + 3u];
      }
      word[r] = i + BYTES;
      sum[r] += k.x * channels(p0) + k.y * channels(p1) + k.z * channels(p2) + k.w * channels(p3);
    }
  }
  [[unroll]] for (uint r = 0u; r < ROWS; r++) {
    if (row0 + r < rows) y[(row0 + r) * width + x] = toPixel(SWAP ? sum[r].zyx : sum[r]);
  }
}
