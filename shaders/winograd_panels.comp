#version 450
// Winograd, first step, for conv_panel: what winograd_input does, into panels (panel.glsl), a position being an image and the
// tiles of all images its pixels.
//
//   v[p*A + q] = (B f(x) BT)[p][q],   f: GroupNorm and ReLU, unless NORM is 0
//
//   binding 0  x: Block [N][blocks][height][width]
//   binding 1  norm: see unit.glsl; not read if NORM is 0
//   binding 2  v: panels of P tiles
//
// A dispatch makes the tiles of the images [first, first + images). A lane makes four channels of a tile at a time.
// Grid: x = units of `unit` blocks, y = parts of `part` tiles of an image, z = image of the dispatch.
#extension GL_GOOGLE_include_directive : require
#define TILE_ID 3
#include "panel.glsl"
#include "unit.glsl"
#include "winograd.glsl"

layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer Four { Half v; };
layout(buffer_reference, std430, buffer_reference_align = 4) writeonly buffer One { float v; };
layout(push_constant) uniform Push {
  Four x;
  Affine norm;
  One v;
  int height, width, tilesY, tilesX, blocks, first, images, part, unit, group;
  int wide;     // P
  uint perWide; // its reciprocal
  float eps;
};

void main() {
  lane = int(gl_SubgroupInvocationID);
  int image = int(gl_WorkGroupID.z), mine = int(gl_WorkGroupID.x) * unit, begin = int(gl_WorkGroupID.y) * part;
  int tiles = tilesY * tilesX, end = min(begin + part, tiles), panels = (images * tiles + wide - 1) / wide;
  uint64_t plane = uint64_t(height * width) * uint64_t(BLOCK_BYTES);
  uint64_t from = uint64_t(x) + uint64_t((image + first) * blocks + mine) * plane;
  if (NORM == 2) takeStatistics(from, unit, group, height * width, eps);
  for (int b = 0; b < unit; b++) {
    vec2 affine = NORM > 0 ? affineOf(uint64_t(norm), image + first, (mine + b) * 8 + lane, blocks * 8, b * 8 + lane, group) : vec2(1.0, 0.0);
    for (int part4 = 0; part4 < 2; part4++) {
      float scale[4], shift[4];
#define OF(i)                                                                                      \
  scale[i] = part4 == 0 ? subgroupBroadcast(affine.x, i) : subgroupBroadcast(affine.x, i + 4);     \
  shift[i] = part4 == 0 ? subgroupBroadcast(affine.y, i) : subgroupBroadcast(affine.y, i + 4);
      OF(0) OF(1) OF(2) OF(3)
      uint64_t source = from + uint64_t(b) * plane + uint64_t(part4 * (BLOCK_BYTES / 2));
      for (int tile = begin + lane; tile < end; tile += 8) {
        int ty = tile / tilesX, y0 = ty * M - 1, x0 = (tile - ty * tilesX) * M - 1;
        float rows[6 * 6 * 4]; // B f(x): [channel][row][column]
        [[unroll]] for (int c = 0; c < A; c++) {
          int px = x0 + c;
          bool insideX = uint(px) < uint(width);
          float d[4][6];
          [[unroll]] for (int r = 0; r < A; r++) {
            int py = y0 + r;
            bool inside = insideX && uint(py) < uint(height);
            float f[4];
            unpack(Four(source + uint64_t(inside ? py * width + px : 0) * uint64_t(BLOCK_BYTES)).v, f);
            [[unroll]] for (int u = 0; u < 4; u++) {
              if (NORM > 0) f[u] = max(fma(f[u], scale[u], shift[u]), 0.0);
              d[u][r] = inside ? f[u] : 0.0;
            }
          }
          [[unroll]] for (int u = 0; u < 4; u++) {
            float t[6];
            transformInput(d[u], t);
            [[unroll]] for (int r = 0; r < A; r++) rows[(u * 6 + r) * 6 + c] = t[r];
          }
        }
        uint64_t next = uint64_t(panels * blocks * 8 * wide) * 4ul; // position
        int k = (mine + b) * 8 + part4 * 4;
        uint64_t to = uint64_t(v) + uint64_t(panelAt(0, panels, image * tiles + tile, blocks * 8, k, wide, perWide)) * 4ul;
        [[unroll]] for (int r = 0; r < A; r++) {
          float o[4][6];
          [[unroll]] for (int u = 0; u < 4; u++) {
            float t[6];
            [[unroll]] for (int c = 0; c < A; c++) t[c] = rows[(u * 6 + r) * 6 + c];
            transformInput(t, o[u]);
          }
          [[unroll]] for (int c = 0; c < A; c++) {
            [[unroll]] for (int u = 0; u < 4; u++) One(to + uint64_t(u * wide * 4)).v = o[u][c];
            to += next;
          }
        }
      }
    }
  }
}
