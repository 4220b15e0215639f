#version 450
// Winograd, last step: products to the result of the convolution (winograd.glsl).
//
//   y = AT m A + residual, what of it lies in the picture
//
//   binding 0  m: Block [A*A][blocks][images*tiles]        tiles = tilesY*tilesX, row by row
//   binding 1  residual: as y; not read unless RESIDUAL
//   binding 2  y: Block [N][blocks][height][width]
//   binding 3  part: vec2 [N][chunks][blocks][8]           moments of y (moments.glsl); not written unless STATS
//
// A dispatch makes the images [first, first + images) of y. An invocation makes half a block of one tile. A chunk of statistics
// is a workgroup's tiles.
//
// Grid: x = halves of tiles, y = block, z = image of the dispatch.
#extension GL_GOOGLE_include_directive : require
#include "block.glsl"
#include "moments.glsl"
#include "winograd.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const int SIZE = 64; // a power of 2
layout(constant_id = 2) const bool RESIDUAL = false;
layout(constant_id = 3) const bool STATS = false;
layout(std430, binding = 0) readonly buffer Products { Quad m[]; };
layout(std430, binding = 1) readonly buffer Residual { Quad residual[]; };
layout(std430, binding = 2) writeonly buffer Y { Quad y[]; };
layout(std430, binding = 3) writeonly buffer Part { vec2 part[]; };
layout(push_constant) uniform Push {
  int height, width, tilesY, tilesX, blocks, first, images;
};

shared vec2 moments[4 * SIZE]; // [invocation][channel]
shared float counts[SIZE];

void main() {
  int lane = int(gl_LocalInvocationID.x), side = int(gl_GlobalInvocationID.x) & 1;
  int tile = int(gl_GlobalInvocationID.x) >> 1, block = int(gl_WorkGroupID.y), image = int(gl_WorkGroupID.z);
  bool isTile = tile < tilesY * tilesX;
  if (!STATS && !isTile) return;
  tile = isTile ? tile : 0;
  int y0 = tile / tilesX * M, x0 = tile % tilesX * M, tiles = images * tilesY * tilesX;
  tile += image * tilesY * tilesX;

  int plane = blocks * tiles * 2, at = (block * tiles + tile) * 2 + side;
  float rows[4 * 4 * 6]; // AT m: [channel][row][column]
  [[unroll]] for (int q = 0; q < A; q++) {
    float d[4][6];
    [[unroll]] for (int p = 0; p < A; p++) {
      float f[4];
      unpack(m[at + (p * A + q) * plane], f);
      [[unroll]] for (int u = 0; u < 4; u++) d[u][p] = f[u];
    }
    [[unroll]] for (int u = 0; u < 4; u++) {
      float t[4];
      transformOutput(d[u], t);
      [[unroll]] for (int r = 0; r < M; r++) rows[(u * 4 + r) * 6 + q] = t[r];
    }
  }
  int base = ((image + first) * blocks + block) * height * width;
  float count = 0.0, shift[4], sum[4], squares[4]; // of what is stored, as deviations from the first pixel
  [[unroll]] for (int u = 0; u < 4; u++) shift[u] = sum[u] = squares[u] = 0.0;
  [[unroll]] for (int r = 0; r < M; r++) {
    float o[4][4];
    [[unroll]] for (int u = 0; u < 4; u++) {
      float t[6];
      [[unroll]] for (int q = 0; q < A; q++) t[q] = rows[(u * 4 + r) * 6 + q];
      transformOutput(t, o[u]);
    }
    [[unroll]] for (int c = 0; c < M; c++) {
      if (isTile && y0 + r < height && x0 + c < width) {
        int pixel = (base + (y0 + r) * width + x0 + c) * 2 + side;
        float f[4];
        [[unroll]] for (int u = 0; u < 4; u++) f[u] = o[u][c];
        if (RESIDUAL) {
          float s[4];
          unpack(residual[pixel], s);
          [[unroll]] for (int u = 0; u < 4; u++) f[u] += s[u];
        }
        Quad stored = pack(f);
        y[pixel] = stored;
        if (STATS) {
          unpack(stored, f);
          [[unroll]] for (int u = 0; u < 4; u++) {
            if (r == 0 && c == 0) shift[u] = f[u];
            float d = f[u] - shift[u];
            sum[u] += d;
            squares[u] = fma(d, d, squares[u]);
          }
          count += 1.0;
        }
      }
    }
  }
  if (!STATS) return;

  [[unroll]] for (int u = 0; u < 4; u++) {
    float mean = sum[u] / max(count, 1.0);
    moments[4 * lane + u] = vec2(shift[u] + mean, max(squares[u] - sum[u] * mean, 0.0));
  }
  counts[lane] = count;
  for (int d = SIZE / 2; d > 1; d /= 2) { // invocations of the same half of a block
    barrier();
    if (lane < d) {
      [[unroll]] for (int u = 0; u < 4; u++)
        moments[4 * lane + u] = merge(moments[4 * lane + u], counts[lane], moments[4 * (lane + d) + u], counts[lane + d]);
      counts[lane] += counts[lane + d];
    }
  }
  if (lane < 2) {
    int chunks = (2 * tilesY * tilesX + SIZE - 1) / SIZE, chunk = (image + first) * chunks + int(gl_WorkGroupID.x);
    [[unroll]] for (int u = 0; u < 4; u++) part[(chunk * blocks + block) * 8 + 4 * side + u] = moments[4 * lane + u];
  }
}
