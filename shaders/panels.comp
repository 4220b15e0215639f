#version 450
// Brings the operand of a convolution into panels (panel.glsl), normalized, for conv_panel.
//
//   binding 0  x: Block [N][inBlocks][H][W]
//   binding 1  norm: see unit.glsl; not read if NORM is 0
//   binding 2  v: panels of the pixels [first, first + pixels) of every image, of OH*OW
//
// A lane makes two pixels, which are side by side in a panel, of BLOCKS blocks at a time: they are stored together.
// Grid: x = units of `unit` blocks, y = parts of `part` pixels, an even number, z = image.
#extension GL_GOOGLE_include_directive : require
#include "panel.glsl"
#include "unit.glsl"

layout(constant_id = 3) const bool WHOLE = true; // every pixel becomes one: a kernel of 1x1, stride 1
layout(buffer_reference, std430, buffer_reference_align = 8) writeonly buffer Two { uint64_t v; };
layout(push_constant) uniform Push {
  Halves x;
  Affine norm;
  Two v;
  int height, width, outWidth, inBlocks, first, pixels, part, unit, group;
  int kh, kw, sh, sw, ph, pw;
  int wide;     // P
  uint perWide; // its reciprocal
  float eps;
};

void main() {
  lane = int(gl_SubgroupInvocationID);
  int image = int(gl_WorkGroupID.z), mine = int(gl_WorkGroupID.x) * unit, begin = int(gl_WorkGroupID.y) * part;
  int end = min(begin + part, pixels), tiles = (pixels + wide - 1) / wide;
  uint64_t plane = uint64_t(height * width) * uint64_t(BLOCK_BYTES);
  uint64_t from = uint64_t(x) + uint64_t(image * inBlocks + mine) * plane;
  if (NORM == 2) takeStatistics(from, unit, group, height * width, eps);
  for (int b0 = 0; b0 < unit; b0 += BLOCKS) {
    float scale[VALUES], shift[VALUES];
    if (NORM > 0) {
      [[unroll]] for (int b = 0; b < BLOCKS; b++) {
        vec2 affine = affineOf(uint64_t(norm), image, (mine + b0 + b) * 8 + lane, inBlocks * 8, (b0 + b) * 8 + lane, group);
#define OF(i) scale[b * 8 + i] = subgroupBroadcast(affine.x, i), shift[b * 8 + i] = subgroupBroadcast(affine.y, i);
        OF(0) OF(1) OF(2) OF(3) OF(4) OF(5) OF(6) OF(7)
      }
    }
    uint64_t source = from + uint64_t(b0) * plane;
    for (int p = begin + 2 * lane; p < end; p += 16) {
      int oy[2], ox[2]; // where the kernel lies on x
      [[unroll]] for (int j = 0; j < 2; j++) {
        int at = first + min(p + j, pixels - 1);
        int y = WHOLE ? 0 : at / outWidth;
        oy[j] = y * sh - ph, ox[j] = (at - y * outWidth) * sw - pw;
        if (WHOLE) ox[j] = at;
      }
      int taps = WHOLE ? 1 : kh * kw;
      uint64_t to = uint64_t(v) + uint64_t(panelAt(image, tiles, p, taps * inBlocks * 8, (mine + b0) * 8, wide, perWide)) * 4ul;
      for (int tap = 0, ky = 0, kx = 0; tap < taps; tap++) {
        float f0[VALUES], f1[VALUES];
        [[unroll]] for (int j = 0; j < 2; j++) {
          int at = ox[j];
          bool inside = true;
          if (!WHOLE) {
            int iy = oy[j] + ky, ix = ox[j] + kx;
            inside = uint(iy) < uint(height) && uint(ix) < uint(width);
            at = inside ? iy * width + ix : 0;
          }
          float f[VALUES];
          load(source + uint64_t(at) * uint64_t(BLOCK_BYTES), plane, f);
          [[unroll]] for (int i = 0; i < VALUES; i++) {
            if (NORM > 0) f[i] = max(fma(f[i], scale[i], shift[i]), 0.0);
            f[i] = inside ? f[i] : 0.0;
            if (j == 0) f0[i] = f[i];
            if (j == 1) f1[i] = f[i];
          }
        }
        [[unroll]] for (int i = 0; i < VALUES; i++)
          Two(to + uint64_t(i * wide * 4)).v = packUint2x32(uvec2(floatBitsToUint(f0[i]), floatBitsToUint(f1[i])));
        if (++kx == kw) kx = 0, ky++;
        to += uint64_t(inBlocks * 8 * wide * 4);
      }
    }
  }
}
