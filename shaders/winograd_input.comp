#version 450
// Winograd, first step: tiles of the operand of a 3x3 convolution with stride 1 and a border of one
// zero, normalized while they are read, into the operand of the products (winograd.glsl).
//
//   v[p*A + q] = (B f(x) BT)[p][q],   f as in conv.glsl: GroupNorm and ReLU if NORM
//
//   binding 0  x: Block [N][blocks][height][width]
//   binding 1  norm: vec2 [N][blocks*8]                    (scale, shift); not read unless NORM
//   binding 2  v: Block [A*A][blocks][images*tiles]        tiles = tilesY*tilesX, row by row
//
// A dispatch makes the tiles of the images [first, first + images). An invocation makes half a block
// of one tile: what consecutive invocations write is consecutive.
//
// Grid: x = halves of tiles of all images, y = block.
#extension GL_GOOGLE_include_directive : require
#include "block.glsl"
#include "winograd.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 2) const bool NORM = false;
layout(std430, binding = 0) readonly buffer X { Quad x[]; };
layout(std430, binding = 1) readonly buffer Norm { vec2 norm[]; };
layout(std430, binding = 2) writeonly buffer V { Quad v[]; };
layout(push_constant) uniform Push {
  int height, width, tilesY, tilesX, blocks, first, images;
};

void main() {
  int part = int(gl_GlobalInvocationID.x) & 1, tile = int(gl_GlobalInvocationID.x) >> 1;
  int block = int(gl_WorkGroupID.y), tiles = images * tilesY * tilesX;
  if (tile >= tiles) return;
  int ty = tile / tilesX, tx = tile - ty * tilesX, image = ty / tilesY;
  int y0 = (ty - image * tilesY) * M - 1, x0 = tx * M - 1;
  image += first;

  float scale[4], shift[4];
  if (NORM) {
    [[unroll]] for (int u = 0; u < 4; u++) {
      vec2 affine = norm[(image * blocks + block) * 8 + part * 4 + u];
      scale[u] = affine.x, shift[u] = affine.y;
    }
  }
  int base = (image * blocks + block) * height * width;
  float rows[6 * 6 * 4]; // B f(x): [channel][row][column]
  [[unroll]] for (int c = 0; c < A; c++) {
    int px = x0 + c;
    bool insideX = uint(px) < uint(width);
    float d[4][6];
    [[unroll]] for (int r = 0; r < A; r++) {
      int py = y0 + r;
      bool inside = insideX && uint(py) < uint(height);
      float f[4];
      unpack(x[(base + (inside ? py * width + px : 0)) * 2 + part], f);
      [[unroll]] for (int u = 0; u < 4; u++) {
        if (NORM) f[u] = max(fma(f[u], scale[u], shift[u]), 0.0);
        d[u][r] = inside ? f[u] : 0.0;
      }
    }
    [[unroll]] for (int u = 0; u < 4; u++) {
      float t[6];
      transformInput(d[u], t);
      [[unroll]] for (int r = 0; r < A; r++) rows[(u * 6 + r) * 6 + c] = t[r];
    }
  }
  int plane = blocks * tiles * 2, at = (block * tiles + tile) * 2 + part;
  [[unroll]] for (int r = 0; r < A; r++) {
    float o[4][6];
    [[unroll]] for (int u = 0; u < 4; u++) {
      float t[6];
      [[unroll]] for (int c = 0; c < A; c++) t[c] = rows[(u * 6 + r) * 6 + c];
      transformInput(t, o[u]);
    }
    [[unroll]] for (int c = 0; c < A; c++) {
      float f[4];
      [[unroll]] for (int u = 0; u < 4; u++) f[u] = o[u][c];
      v[at] = pack(f);
      at += plane;
    }
  }
}
