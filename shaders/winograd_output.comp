#version 450
// Winograd, last step: products to the result of the convolution (winograd.glsl).
//
//   y = AT m A + residual, what of it lies in the picture
//
//   binding 0  m: Block [A*A][blocks][images*tiles]        tiles = tilesY*tilesX, row by row
//   binding 1  residual: as y; not read unless RESIDUAL
//   binding 2  y: Block [N][blocks][height][width]
//
// A dispatch makes the images [first, first + images) of y. An invocation makes half a block of one tile.
//
// Grid: x = halves of tiles of all images, y = block.
#extension GL_GOOGLE_include_directive : require
#include "block.glsl"
#include "winograd.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 2) const bool RESIDUAL = false;
layout(std430, binding = 0) readonly buffer Products { Quad m[]; };
layout(std430, binding = 1) readonly buffer Residual { Quad residual[]; };
layout(std430, binding = 2) writeonly buffer Y { Quad y[]; };
layout(push_constant) uniform Push {
  int height, width, tilesY, tilesX, blocks, first, images;
};

void main() {
  int part = int(gl_GlobalInvocationID.x) & 1, tile = int(gl_GlobalInvocationID.x) >> 1;
  int block = int(gl_WorkGroupID.y), tiles = images * tilesY * tilesX;
  if (tile >= tiles) return;
  int ty = tile / tilesX, tx = tile - ty * tilesX, image = ty / tilesY;
  int y0 = (ty - image * tilesY) * M, x0 = tx * M;

  int plane = blocks * tiles * 2, at = (block * tiles + tile) * 2 + part;
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
  [[unroll]] for (int r = 0; r < M; r++) {
    float o[4][4];
    [[unroll]] for (int u = 0; u < 4; u++) {
      float t[6];
      [[unroll]] for (int q = 0; q < A; q++) t[q] = rows[(u * 4 + r) * 6 + q];
      transformOutput(t, o[u]);
    }
    [[unroll]] for (int c = 0; c < M; c++) {
      if (y0 + r < height && x0 + c < width) {
        int pixel = (base + (y0 + r) * width + x0 + c) * 2 + part;
        float f[4];
        [[unroll]] for (int u = 0; u < 4; u++) f[u] = o[u][c];
        if (RESIDUAL) {
          float s[4];
          unpack(residual[pixel], s);
          [[unroll]] for (int u = 0; u < 4; u++) f[u] += s[u];
        }
        y[pixel] = pack(f);
      }
    }
  }
}
