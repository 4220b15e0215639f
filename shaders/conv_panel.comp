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
// Results are written by address as well, in scattered stores: one to a storage buffer stands behind a check of its bounds,
// and LLVM would move all sums that only it needs into the branch.
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
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
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
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Word { uint v; };
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Sum { float v; };
layout(push_constant) uniform Push {
  Floats x;
  Stored w, residual;
  Floats sums;
  Word y;
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

// Four lanes of v, from one on: broadcasts take literals.
#define FOUR(v, from)                                                                              \
  vec4(subgroupBroadcast(v, from), subgroupBroadcast(v, from + 1), subgroupBroadcast(v, from + 2), \
       subgroupBroadcast(v, from + 3))

#if F16
// The words of two blocks, each with its channels in the lanes: four of a, then four of b.
uint blocks(float a, float b) {
  a = roundHalf(a), b = roundHalf(b);
  uint low = uint(lane * 2) & 7u, high = low + 1u;
  float a0 = subgroupShuffle(a, low), a1 = subgroupShuffle(a, high);
  float b0 = subgroupShuffle(b, low), b1 = subgroupShuffle(b, high);
  return packHalf2x16(lane < 4 ? vec2(a0, a1) : vec2(b0, b1));
}
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
  float done[SHARE];
  if (CHUNKS == 1) {
    [[unroll]] for (int j = 0; j < SHARE; j++) done[j] = acc[j];
  } else {
    [[unroll]] for (int i = 0; i < TILE; i++) {
      uint at = (subgroup * TILE + i) * 2;
      partial[at] = FOUR(acc[i], 0), partial[at + 1] = FOUR(acc[i], 4);
    }
    // Without memory semantics: lavapipe would make the processor wait until everything is stored, though one thread runs
    // the whole workgroup, and reads what it has written in any case.
    controlBarrier(gl_ScopeWorkgroup, gl_ScopeWorkgroup, 0, 0);
    [[unroll]] for (int j = 0; j < SHARE; j++) {
      done[j] = 0.0;
      [[unroll]] for (int c = 0; c < CHUNKS; c++)
        done[j] += fromPartial(((subgroup - chunk + c) * TILE + chunk * SHARE + j) * 2);
    }
  }

  uint64_t at[SHARE]; // of a vector in y, in blocks
  int beyond[SHARE];  // pixels from it to the end
  [[unroll]] for (int j = 0; j < SHARE; j++) {
    int i = int(chunk) * SHARE + j, v = V == 1 ? 0 : i / P;
    int pixel = begin + int(tile) * P + i - v * P, inside = RAGGED ? min(pixel, pixels - 1) : pixel;
    int plane = int(image) * planes + first + outBlock + v;
    uint64_t block = uint64_t(plane * pixels + inside);
    at[j] = uint64_t(plane * pixels + pixel), beyond[j] = pixels - pixel;
    if (ADD) done[j] += floats(Floats(uint64_t(sums) + block * 32ul));
    if (RESIDUAL) done[j] += float(stored(Stored(uint64_t(residual) + block * uint64_t(8 * SIZEOF)), 0));
  }
#if F16
  if (LAST) {
    const int PAIR = 1 + (1 - SHARE % 2) * (1 - P % 2); // vectors that are stored together
    uint words[SHARE];
    [[unroll]] for (int j = 0; j < SHARE; j += PAIR) words[j] = blocks(done[j], done[j + PAIR - 1]);
    [[unroll]] for (int j = 0; j < SHARE; j += PAIR)
      if (lane < 4 * PAIR && (!RAGGED || lane / 4 < beyond[j])) Word(uint64_t(y) + at[j] * 16ul + uint64_t(lane * 4)).v = words[j];
    return;
  }
#endif
  [[unroll]] for (int j = 0; j < SHARE; j++)
    if (!RAGGED || beyond[j] > 0) Sum(uint64_t(y) + at[j] * 32ul + uint64_t(lane * 4)).v = done[j];
}
