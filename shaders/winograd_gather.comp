#version 450
// Winograd, last step, for lavapipe: what winograd_output does without statistics. Everything is read and written by address:
// lavapipe gathers and scatters then, where a storage buffer takes a branch for every lane.
//
//   y = AT m A + residual, what of it lies in the picture
//
//   binding 0  m: Block [A*A][blocks][images*tiles]        tiles = tilesY*tilesX, row by row
//   binding 1  residual: as y; not read unless RESIDUAL
//   binding 2  y: Block [N][blocks][height][width]
//
// A dispatch makes the images [first, first + images) of y. A workgroup is one subgroup of 8; a lane makes half a block of a tile.
// Grid: x = tiles, y = halves of blocks, z = image of the dispatch.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_control_flow_attributes : enable
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_basic : require
#define HALVES
#include "block.glsl"
#include "winograd.glsl"

layout(local_size_x_id = 0) in; // 8
layout(constant_id = 2) const bool RESIDUAL = false;
layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer Four { Half v; };
layout(buffer_reference, std430, buffer_reference_align = 8) writeonly buffer Result { uint64_t v[2]; };
layout(push_constant) uniform Push {
  Four m, residual;
  Result y;
  int height, width, tilesY, tilesX, blocks, first, images;
};

const int HALF_BYTES = BLOCK_BYTES / 2;

void main() {
  int lane = int(gl_SubgroupInvocationID), tiles = tilesY * tilesX, all = images * tiles;
  int mine = int(gl_WorkGroupID.x) * 8 + lane, tile = min(mine, tiles - 1);
  int block = int(gl_WorkGroupID.y) >> 1, side = int(gl_WorkGroupID.y) & 1, image = int(gl_WorkGroupID.z);
  int y0 = tile / tilesX * M, x0 = tile % tilesX * M;

  uint64_t from = uint64_t(m) + uint64_t((block * all + image * tiles + tile) * 2 + side) * uint64_t(HALF_BYTES);
  uint64_t plane = uint64_t(blocks * all * 2) * uint64_t(HALF_BYTES);
  float rows[4 * 4 * 6]; // AT m: [channel][row][column]
  [[unroll]] for (int q = 0; q < A; q++) {
    float d[4][6];
    [[unroll]] for (int p = 0; p < A; p++) {
      float f[4];
      unpack(Four(from + uint64_t(p * A + q) * plane).v, f);
      [[unroll]] for (int u = 0; u < 4; u++) d[u][p] = f[u];
    }
    [[unroll]] for (int u = 0; u < 4; u++) {
      float t[4];
      transformOutput(d[u], t);
      [[unroll]] for (int r = 0; r < M; r++) rows[(u * 4 + r) * 6 + q] = t[r];
    }
  }
  int base = ((image + first) * blocks + block) * height * width;
  [[unroll]] for (int r = 0; r < M; r++) {
    float o[4][4];
    [[unroll]] for (int u = 0; u < 4; u++) {
      float t[6];
      [[unroll]] for (int q = 0; q < A; q++) t[q] = rows[(u * 4 + r) * 6 + q];
      transformOutput(t, o[u]);
    }
    [[unroll]] for (int c = 0; c < M; c++) {
      int py = y0 + r, px = x0 + c;
      uint64_t at = uint64_t((base + min(py, height - 1) * width + min(px, width - 1)) * 2 + side) * uint64_t(HALF_BYTES);
      float f[4];
      [[unroll]] for (int u = 0; u < 4; u++) f[u] = o[u][c];
      if (RESIDUAL) {
        float s[4];
        unpack(Four(uint64_t(residual) + at).v, s);
        [[unroll]] for (int u = 0; u < 4; u++) f[u] += s[u];
      }
      uint64_t words[HALF_BYTES / 8];
      packWords(f, words);
      if (mine < tiles && py < height && px < width) {
        [[unroll]] for (int i = 0; i < HALF_BYTES / 8; i++) Result(uint64_t(y) + at).v[i] = words[i];
      }
    }
  }
}
