#version 450
// GroupNorm's parameters as one scale and one shift per image and channel, in one step, for CPU drivers: what gn_stats and
// gn_finalize do, without a second dispatch to wait for. Storage is binary16; x is read as texels (conv_texel).
//
//   scale = gamma / sqrt(var + eps),  shift = beta - mean * scale
//
// A workgroup is one subgroup of 8 and makes one unit of an image: the fewest whole blocks that are whole groups. A lane sums
// deviations from the plane's first pixel over every eighth pixel, 256 of them at a time; then the channels of a group, which
// have equally many pixels, are merged: the squares of their means' deviations from the group's mean count as well.
//
//   binding 0  x: Block [N][blocks][pixels]
//   binding 1  affine: float [2][C]                   gamma, then beta
//   binding 2  norm: vec2 [N][blocks*8]               (scale, shift); zero past C
//
// Grid: x = unit, y = image.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : enable
#extension GL_EXT_samplerless_texture_functions : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_basic : require
#include "block.glsl"

layout(local_size_x_id = 0) in;
layout(binding = 0) uniform utextureBuffer x;
layout(std430, binding = 1) readonly buffer Affine { float affine[]; };
layout(std430, binding = 2) writeonly buffer Norm { vec2 norm[]; };
layout(push_constant) uniform Push {
  int channels, blocks, pixels;
  int unit, group; // blocks of a unit, at most MOST; channels of a group
  float eps;
};

const int SUM = 256; // pixels that a lane sums up before it adds the sum to the others

const int MOST = 32;
shared vec2 moments[MOST * 8]; // of a channel: mean, sum of squared deviations
shared vec2 groups[MOST * 8];

void main() {
  int lane = int(gl_SubgroupInvocationID), image = int(gl_WorkGroupID.y);
  int block0 = int(gl_WorkGroupID.x) * unit, last = min(unit, blocks - block0);
  for (int b = 0; b < last; b++) {
    int base = (image * blocks + block0 + b) * pixels;
    float shift[8], s[8], q[8];
    unpack(Block(texelFetch(x, base)), shift);
    [[unroll]] for (int c = 0; c < 8; c++) s[c] = 0.0, q[c] = 0.0;
    for (int first = lane; first < pixels; first += 8 * SUM) {
      float ss[8], qq[8];
      [[unroll]] for (int c = 0; c < 8; c++) ss[c] = 0.0, qq[c] = 0.0;
      for (int p = first; p < min(first + 8 * SUM, pixels); p += 8) {
        float v[8];
        unpack(Block(texelFetch(x, base + p)), v);
        [[unroll]] for (int c = 0; c < 8; c++) {
          float d = v[c] - shift[c];
          ss[c] += d;
          qq[c] = fma(d, d, qq[c]);
        }
      }
      [[unroll]] for (int c = 0; c < 8; c++) s[c] += ss[c], q[c] += qq[c];
    }
    [[unroll]] for (int c = 0; c < 8; c++) {
      float sum = subgroupAdd(s[c]), squares = subgroupAdd(q[c]), mean = sum / float(pixels);
      if (lane == c) moments[b * 8 + c] = vec2(shift[c] + mean, max(squares - sum * mean, 0.0));
    }
  }
  barrier();
  for (int g = lane; g < unit * 8 / group; g += 8) {
    float mean = 0.0, m2 = 0.0;
    int origin = g * group; // deviations from the first channel's mean
    for (int c = 0; c < group; c++) mean += moments[origin + c].x - moments[origin].x;
    mean = moments[origin].x + mean / float(group);
    for (int c = 0; c < group; c++) {
      float d = moments[origin + c].x - mean;
      m2 += fma(float(pixels) * d, d, moments[origin + c].y);
    }
    groups[g] = vec2(mean, 1.0 / sqrt(m2 / float(group * pixels) + eps));
  }
  barrier();
  for (int c = lane; c < last * 8; c += 8) {
    int channel = block0 * 8 + c;
    vec2 m = groups[c / group];
    float scale = channel < channels ? affine[channel] * m.y : 0.0;
    norm[image * blocks * 8 + channel] =
        vec2(scale, channel < channels ? affine[channels + channel] - m.x * scale : 0.0);
  }
}
