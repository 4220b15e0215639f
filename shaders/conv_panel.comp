#version 450
// Convolution for lavapipe: a matrix product without loops, of the operand in panels (panel.glsl) and weights in squares
// that transpose_weights has turned. Lanes are output channels. docs/RATIONALE.md, "Straight lines for lavapipe", says why:
// outside of loops and branches Mesa 25.0 makes one instruction of a load whose address is the same in all lanes, by
// constants and push constants alone; and LLVM makes one vector load of such loads side by side. So everything is read by
// address, and numbers of workgroups and subgroups are looked up in a table of push constants (known).
//
//   y[n][o][p] = residual + sum over k of w[o][k] * x[n][p][k]
//
//   binding 0  x: panels of the pixels [begin, begin + P*tiles) of every image
//   binding 1  w: [outBlocks][positions][K/8][8 input channels][8 output channels]
//   binding 2  residual: as y; not read unless RESIDUAL
//   binding 3  sums: as y, binary32; added if ADD
//   binding 4  y: Block [N][planes][pixels], or the sums if not LAST
//
// A subgroup multiplies KC of the products for a tile of P pixels and V blocks of channels; CHUNKS subgroups share a
// tile, leave what they have in shared memory, and each finishes some of the vectors of the tile: CHUNKS divides V*P. A
// dispatch does the products [part, part + CHUNKS*KC) of K. A workgroup has TILES such tiles, next to each other in
// channels. Where pixels do not fill the last tile, RAGGED must be set. y as in conv.glsl: output blocks [first, ...) of planes.
//
// Grid: x = tiles of pixels, y = tiles of channels over TILES, z = image or position; at most 1024 in x
// unless WIDE, then 32768, and 32 in y unless TALL, and in z unless DEEP, then 1024.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_control_flow_attributes : enable
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_basic : require
#include "block.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int SUBGROUP = 8; // no other number
layout(constant_id = 2) const int P = 8;
layout(constant_id = 3) const int V = 2;
layout(constant_id = 4) const int KC = 64;
layout(constant_id = 5) const int CHUNKS = 1;
layout(constant_id = 6) const int TILES = 1;
layout(constant_id = 7) const bool RESIDUAL = false;
layout(constant_id = 8) const bool ADD = false;
layout(constant_id = 9) const bool LAST = true;
layout(constant_id = 10) const bool RAGGED = false;
layout(constant_id = 11) const bool TALL = false;
layout(constant_id = 12) const bool DEEP = false;
layout(constant_id = 13) const bool WIDE = false;

const int TILE = V * P;          // vectors of a tile
const int SHARE = TILE / CHUNKS; // vectors that a subgroup finishes

#if F16
#define STORED float16_t
#define SIZEOF 2
#else
#define STORED float
#define SIZEOF 4
#endif
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Floats { float v[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Stored { STORED v[]; };
layout(std430, binding = 4) writeonly buffer Y { Block y[]; };
layout(std430, binding = 4) writeonly buffer Sums { vec4 sums4[]; };
layout(push_constant) uniform Push {
  Floats x;
  Stored w, residual;
  Floats sums;
  int products, part, positions, tiles, begin, pixels, first, planes;
  uint known[32]; // 0, 1, 2 ...
};

shared vec4 partial[TILES * CHUNKS * TILE * 2];

// v, below 32 or 1024, as a value that the compiler knows to be the same for the whole subgroup.
uint known5(uint v) { return known[v & 31u]; }
uint known10(uint v) { return known[v & 31u] + (known[(v >> 5) & 31u] << 5); }

int lane;

// A vector with t[i] in lane i.
#define GATHER(T)                                                                                  \
  T r = t[0];                                                                                      \
  [[unroll]] for (int i = 1; i < 8; i++) r = lane == i ? t[i] : r;                                 \
  return r;

// Eight consecutive values: all are loaded before one is chosen, or the choice would become a branch.
STORED stored(Stored p, int at) {
  STORED t[8];
  [[unroll]] for (int i = 0; i < 8; i++) t[i] = p.v[at + i];
  GATHER(STORED)
}

float floats(Floats p) {
  float t[8];
  [[unroll]] for (int i = 0; i < 8; i++) t[i] = p.v[i];
  GATHER(float)
}

float fromPartial(uint at) {
  vec4 lo = partial[at], hi = partial[at + 1];
  float t[8] = float[](lo.x, lo.y, lo.z, lo.w, hi.x, hi.y, hi.z, hi.w);
  GATHER(float)
}

// Four lanes of v, from one on, and a block of all: broadcasts take literals.
#define FOUR(v, from)                                                                              \
  vec4(subgroupBroadcast(v, from), subgroupBroadcast(v, from + 1), subgroupBroadcast(v, from + 2), \
       subgroupBroadcast(v, from + 3))
#if F16
#define PAIR(h, from) (subgroupBroadcast(h, from) | subgroupBroadcast(h, from + 1) << 16)
#define BLOCK(h) Block(uvec4(PAIR(h, 0), PAIR(h, 2), PAIR(h, 4), PAIR(h, 6)))
uint encode(float v) { return packHalf2x16(vec2(roundHalf(v), 0.0)); }
#else
#define BLOCK(v) Block(FOUR(v, 0), FOUR(v, 4))
float encode(float v) { return v; }
#endif

void main() {
  lane = int(gl_SubgroupInvocationID);
  uint subgroup = TILES * CHUNKS > 1 ? known5(gl_SubgroupID) & 31u : 0u;
  uint chunk = subgroup % CHUNKS, column = gl_WorkGroupID.x, row = gl_WorkGroupID.y, z = gl_WorkGroupID.z;
  uint tile = WIDE ? known10(column) + (known5(column >> 10) << 10) : known10(column);
  uint image = DEEP ? known10(z) : known5(z);
  uint channels = (TALL ? known10(row) : known5(row)) * TILES + subgroup / CHUNKS;
  uint position = positions > 1 ? image : 0u; // positions is 1 or the number of images
  int outBlock = int(channels) * V, k0 = part + int(chunk) * KC;

  uint64_t weights = uint64_t(w) + uint64_t(outBlock * positions + int(position)) * uint64_t(products * 8 * SIZEOF);
  Stored wp[V];
  [[unroll]] for (int b = 0; b < V; b++)
    wp[b] = Stored(weights + uint64_t(k0 * 8 * SIZEOF) + uint64_t(b * positions) * uint64_t(products * 8 * SIZEOF));
  Floats xp = Floats(uint64_t(x) + uint64_t((int(image) * tiles + int(tile)) * products + k0) * uint64_t(4 * P));

  float acc[TILE];
  [[unroll]] for (int i = 0; i < TILE; i++) acc[i] = 0.0;
  [[unroll]] for (int k = 0; k < KC; k++) {
    float wv[V];
    [[unroll]] for (int v = 0; v < V; v++) wv[v] = float(stored(wp[v], k * 8));
    [[unroll]] for (int p = 0; p < P; p++) {
      float a = xp.v[k * P + p];
      [[unroll]] for (int v = 0; v < V; v++) acc[v * P + p] = fma(a, wv[v], acc[v * P + p]);
    }
  }
  // Not only for CHUNKS: stores to a buffer stand behind a check, and LLVM would move all sums into the branches.
  [[unroll]] for (int i = 0; i < TILE; i++) {
    uint at = (subgroup * TILE + i) * 2;
    partial[at] = FOUR(acc[i], 0), partial[at + 1] = FOUR(acc[i], 4);
  }
  barrier();

  [[unroll]] for (int j = 0; j < SHARE; j++) {
    uint i = chunk * SHARE + j;
    float s = 0.0;
    [[unroll]] for (int c = 0; c < CHUNKS; c++)
      s += fromPartial(((subgroup - chunk + c) * TILE + i) * 2);
    int pixel = begin + int(tile) * P + int(i % P), inside = RAGGED ? min(pixel, pixels - 1) : pixel;
    int plane = int(image) * planes + first + outBlock + int(i / P);
    uint64_t block = uint64_t(plane * pixels + inside);
    if (ADD) s += floats(Floats(uint64_t(sums) + block * 32ul));
    if (RESIDUAL) s += float(stored(Stored(uint64_t(residual) + block * uint64_t(8 * SIZEOF)), 0));
    if (!RAGGED || pixel < pixels) {
      int at = plane * pixels + pixel;
      if (LAST) {
        y[at] = BLOCK(encode(s));
      } else {
        sums4[2 * at] = FOUR(s, 0), sums4[2 * at + 1] = FOUR(s, 4);
      }
    }
  }
}
