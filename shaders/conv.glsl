// What every member of the convolution family shares: the interface. A member computes
//
//   y[n][o][oy][ox] = residual + sum over ky, kx, c of
//                     w[o][c][ky][kx] * f(x[n][c][oy*SH - PH + ky][ox*SW - PW + kx])
//
// where f is GroupNorm and ReLU, max(x * scale + shift, 0), if NORM is set and the identity if not,
// and is zero outside the picture. Sums are binary32 whatever the storage is.
//
//   binding 0  x: Block [N][inBlocks][H][W]
//   binding 1  w: Block [outBlocks][positions][KH*KW][inBlocks][8]   from pack_weights
//   binding 2  norm: vec2 [N][inBlocks*8]                 (scale, shift); not read unless NORM
//   binding 3  residual: as y; not read unless RESIDUAL
//   binding 4  y: Block [N][planes][OH][OW]
//   binding 5  part: vec2 [N][chunks][planes][8]          moments of y (moments.glsl); not written unless STATS
//
// Only members that define STATS_ID, the number of its specialization constant, have binding 5. What a chunk is differs.
//
// OPERAND is the unit in which a member loads x and w, Block or Half (with TEXELS they are texel buffers, of
// Blocks of binary16), and AFFINE that of norm, vec2,
// the 64 bits of one, or vec4 for two.
//
// A dispatch makes the output blocks [first, first + outBlocks) of the planes of y; w starts at
// block first, so that weights beyond a device's binding limit are bound in parts.
//
// With DYNAMIC the strides and whether there is a residual are told to each dispatch, so that fewer
// pipelines serve all layers: a driver takes some 40 ms to make one of the large unrolled members.
//
// positions is 1 where all images share their weights. The products of a Winograd convolution (u from
// winograd_weights) have as many as images: image n is convolved with the weights of position n.
#ifndef CONV_GLSL
#define CONV_GLSL
#extension GL_EXT_control_flow_attributes : enable
#include "block.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int KH = 1;
layout(constant_id = 2) const int KW = 1;
layout(constant_id = 3) const int PH = 0;
layout(constant_id = 4) const int PW = 0;
layout(constant_id = 5) const bool NORM = false;
#ifndef DYNAMIC
layout(constant_id = 6) const int SH = 1;
layout(constant_id = 7) const int SW = 1;
layout(constant_id = 8) const bool RESIDUAL = false;
#endif

#if !F16
// With binary32 storage a member sums the products of at most SUM_BLOCKS blocks of one tap at a time
// and adds these partial sums up: rounding errors then grow with the square root of hundreds of
// products, not of thousands. Beside the rounding of binary16 storage it would not show.
const int SUM_BLOCKS = 32;
#endif

#ifdef TEXELS
layout(binding = 0) uniform utextureBuffer x;
layout(binding = 1) uniform utextureBuffer w;
#else
layout(std430, binding = 0) readonly buffer X { OPERAND x[]; };
layout(std430, binding = 1) readonly buffer W { OPERAND w[]; };
#endif
layout(std430, binding = 2) readonly buffer Norm { AFFINE norm[]; };
layout(std430, binding = 3) readonly buffer Residual { Block residual[]; };
layout(std430, binding = 4) writeonly buffer Y { Block y[]; };
#ifdef STATS_ID
layout(constant_id = STATS_ID) const bool STATS = false;
layout(std430, binding = 5) writeonly buffer Part { vec2 part[]; };
#endif
layout(push_constant) uniform Push {
  int height, width, outHeight, outWidth, inBlocks, outBlocks, first, planes, positions;
#ifdef DYNAMIC
  int SH, SW, RESIDUAL;
#endif
};

#endif
