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
//   binding 2  residual: as y; up to P-1 blocks past its end are read. If step is 0, its first P are, and not added
//   binding 3  y: Block [N][planes][pixels]
//
// A subgroup multiplies KC of the products for a tile of P pixels, P even, and one block of channels. `chunks` subgroups, one after the
// other, share a tile, and hand its sums on in shared memory; the last one finishes it. There is no barrier: lavapipe runs a
// workgroup in one thread, its subgroups in turn. A workgroup has tiles of `rows` blocks of channels, and of as many
// groups of P pixels as there are subgroups left. y as in conv.glsl: output blocks [first, ...) of planes.
//
// What differs between layers is in push constants as far as possible: LLVM takes half a second for each pipeline.
//
// Results are written by address as well, in scattered stores: one to a storage buffer stands behind a check of its bounds,
// and LLVM would move all sums that only it needs into the branch.
//
// Grid: x = groups of pixels of a workgroup, then blocks over rows, then images or positions; at most 32768.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_control_flow_attributes : enable
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "block.glsl"
#include "panel.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int SUBGROUP = 8; // no other number
layout(constant_id = 2) const int P = 8;
layout(constant_id = 3) const int KC = 64;

#if F16
#define STORED float16_t
#define STORED4 f16vec4
#else
#define STORED float
#define STORED4 vec4
#endif
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Floats { vec4 v[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Stored { STORED4 v[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer Word { uint v; };
layout(push_constant) uniform Push {
  Floats x;
  Stored w, residual;
  Word y;
  int products, positions, tiles, begin, pixels, first, planes;
  int chunks, rows, groups;   // of a workgroup: subgroups of a tile, blocks of channels, groups of P pixels
  uint perChunks, perRows;    // 65536 / chunks and rows, rounded up
  int columns, across;        // workgroups for the pixels of an image and as many channels as one makes, and for all channels
  uint perColumns, perAcross; // their reciprocals (panel.glsl)
  int end;                    // pixels, once more
  int step;                   // 1 if the residual is added, else 0
  uint known[32];             // 0, 1, 2 ...
};

shared vec4 partial[2 * P];

// v, below 32, as a value that the compiler knows to be the same for the whole subgroup.
uint same(uint v) { return known[v & 31u]; }

int lane;

// A vector with the values of lo and hi in its lanes.
#define GATHER(T)                                                                                  \
  T t[8] = T[](lo.x, lo.y, lo.z, lo.w, hi.x, hi.y, hi.z, hi.w), r = t[0];                          \
  [[unroll]] for (int i = 1; i < 8; i++) r = lane == i ? t[i] : r;                                 \
  return r;

// Block i of p: all values are loaded before one is chosen, or the choice would become a branch.
STORED stored(Stored p, int i) {
  STORED4 lo = p.v[2 * i], hi = p.v[2 * i + 1];
  GATHER(STORED)
}

// What the subgroup before has left for pixel p.
float handed(int p) {
  vec4 lo = partial[2 * p], hi = partial[2 * p + 1];
  GATHER(float)
}

// Four lanes of v, from one on: broadcasts take literals.
#define FOUR(v, from)                                                                              \
  vec4(subgroupBroadcast(v, from), subgroupBroadcast(v, from + 1), subgroupBroadcast(v, from + 2), \
       subgroupBroadcast(v, from + 3))

#if F16
// The words of two blocks, each with its channels in the lanes: four of a, then four of b.
uint blocks(float a, float b) {
  uint both = packPair(a, b), even = uint(lane * 2) & 7u;
  uint low = subgroupShuffle(both, even), high = subgroupShuffle(both, even + 1u);
  return lane < 4 ? (low & 0xffffu) | high << 16 : low >> 16 | (high & 0xffff0000u);
}
#endif

void main() {
  lane = int(gl_SubgroupInvocationID);
  uint subgroup = same(gl_SubgroupID), workgroup = gl_WorkGroupID.x;
  uint unit = subgroup * perChunks >> 16, group = unit * perRows >> 16; // divided by chunks and rows
  int chunk = int(subgroup - unit * uint(chunks)), k0 = chunk * KC;
  int number = int(same(workgroup) + (same(workgroup >> 5) << 5) + (same(workgroup >> 10) << 10));
  int image = quotient(number, perAcross), place = number - image * across, row = quotient(place, perColumns);
  int block = row * rows + int(unit) - int(group) * rows, tile = (place - row * columns) * groups + int(group);
  int position = positions > 1 ? image : 0; // positions is 1 or the number of images

  Stored wp = Stored(uint64_t(w) + uint64_t(block * positions + position) * uint64_t(products * BLOCK_BYTES) + uint64_t(k0 * BLOCK_BYTES));
  bool last = tile < tiles && chunk == chunks - 1, added = step > 0;
  tile = min(tile, tiles - 1);
  Floats xp = Floats(uint64_t(x) + uint64_t((image * tiles + tile) * products + k0) * uint64_t(4 * P));
  int plane = image * planes + first + block, pixel = begin + tile * P;
  Stored rp = Stored(uint64_t(residual) + uint64_t((plane * pixels + pixel) * step) * uint64_t(BLOCK_BYTES));
  uint64_t to = uint64_t(y) + uint64_t(plane * pixels + pixel) * uint64_t(BLOCK_BYTES) + uint64_t(lane * 4);

  // What was handed on is loaded before the products, and added after them: sums of many products are more exact in parts.
  float acc[P], before[P];
  [[unroll]] for (int p = 0; p < P; p++) {
    float sum = handed(p);
    acc[p] = 0.0, before[p] = chunk > 0 ? sum : 0.0;
  }
  [[unroll]] for (int k = 0; k < KC; k++) {
    float wv = float(stored(wp, k));
    [[unroll]] for (int p = 0; p < P; p++) acc[p] = fma(xp.v[(k * P + p) / 4][(k * P + p) % 4], wv, acc[p]);
  }
  [[unroll]] for (int p = 0; p < P; p++) acc[p] += before[p];
  // LLVM compiles the sums by themselves: they end up in memory, and reading a push constant is a branch.
  [[unroll]] for (int p = 0; p < P; p++) partial[2 * p] = FOUR(acc[p], 0), partial[2 * p + 1] = FOUR(acc[p], 4);
  int beyond = last ? end - pixel : 0; // pixels from the first of the tile to the end

  [[unroll]] for (int p = 0; p < P; p++) {
    float r = float(stored(rp, p));
    acc[p] += added ? r : 0.0;
  }
  if (beyond <= 0) return; // all that follows is passed over
#if F16
  uint words[P / 2];
  [[unroll]] for (int p = 0; p < P; p += 2) words[p / 2] = blocks(acc[p], acc[p + 1]);
  [[unroll]] for (int p = 0; p < P; p += 2)
    if (lane < 4 * (beyond - p)) Word(to + uint64_t(p * 16)).v = words[p / 2];
#else
  [[unroll]] for (int p = 0; p < P; p++)
    if (p < beyond) Word(to + uint64_t(p * 32)).v = floatBitsToUint(acc[p]);
#endif
}
