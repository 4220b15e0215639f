#version 450
// GroupNorm's parameters as one scale and one shift per image and channel:
//
//   scale = gamma / sqrt(var + eps),  shift = beta - mean * scale
//
// so that a consumer normalizes with one fused multiply-add. var is the biased variance over the
// channels of the group and all pixels of the image (torch.nn.functional.group_norm). Channels past
// C get scale = shift = 0.
//
//   binding 0  part: vec2 [N][chunks][ceil(C/8)][8]   moments (moments.glsl)
//   binding 1  affine: float [2][C]                   gamma, then beta
//   binding 2  norm: vec2 [N][ceil(C/8)*8]            (scale, shift)
//
// Chunks are runs of so many tiles of side x side pixels, row by row, what of them lies in the picture; with
// side 1, of pixels. JOINED, the images' tiles are one row, which chunks divide and images do: the
// first and the last chunk of an image are what of these lies in it.
//
// A workgroup makes one group of one image: its invocations share out the moments of all chunks and channels, and
// merge theirs one by one. Grid: x = group, y = image.
#extension GL_GOOGLE_include_directive : require
#include "moments.glsl"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint SIZE = 64;
layout(constant_id = 1) const bool JOINED = false;
layout(std430, binding = 0) readonly buffer Part { vec2 part[]; };
layout(std430, binding = 1) readonly buffer Affine { float affine[]; };
layout(std430, binding = 2) writeonly buffer Norm { vec2 norm[]; };
layout(push_constant) uniform Push { uint channels, groups, height, width, side, chunk, chunks; float eps; };

shared vec2 moments[SIZE];
shared float counts[SIZE];

// The pixels in the first t tiles of an image.
uint pixelsOf(uint t) {
  uint tilesX = (width + side - 1u) / side, y = min(t / tilesX * side, height), x = t % tilesX * side;
  return y * width + min(side, height - y) * min(x, width);
}

void main() {
  uint lane = gl_LocalInvocationID.x, g = gl_WorkGroupID.x, n = gl_WorkGroupID.y;
  uint size = channels / groups, stride = (channels + 7u) / 8u * 8u;
  uint tiles = (height + side - 1u) / side * ((width + side - 1u) / side);
  uint start = JOINED ? n * tiles % chunk : 0u; // tiles of the first chunk that are of earlier images

  vec2 m = vec2(0.0);
  float count = 0.0;
  uint used = (start + tiles + chunk - 1u) / chunk;
  for (uint i = lane; i < used * size; i += SIZE) {
    uint k = i / size, c = g * size + i - k * size, end = (k + 1u) * chunk - start;
    float more = float(pixelsOf(min(end, tiles)) - pixelsOf(max(end, chunk) - chunk));
    m = merge(m, count, part[(n * chunks + k) * stride + c], more);
    count += more;
  }
  moments[lane] = m, counts[lane] = count;
  barrier();

  // All of them, as deviations from the first.
  float all = float(height * width * size), origin = moments[0].x, mean = 0.0, m2 = 0.0;
  for (uint i = 0u; i < SIZE; i++) mean = fma(counts[i], moments[i].x - origin, mean);
  mean = origin + mean / all;
  for (uint i = 0u; i < SIZE; i++) {
    float d = moments[i].x - mean;
    m2 += fma(counts[i] * d, d, moments[i].y);
  }
  float rstd = 1.0 / sqrt(m2 / all + eps);
  for (uint c = g * size + lane; c < (g + 1u) * size; c += SIZE) {
    float scale = affine[c] * rstd;
    norm[n * stride + c] = vec2(scale, affine[channels + c] - mean * scale);
  }
  if (g == groups - 1u)
    for (uint c = channels + lane; c < stride; c += SIZE) norm[n * stride + c] = vec2(0.0);
}
