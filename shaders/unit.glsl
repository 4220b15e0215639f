// GroupNorm of a unit of channels, for groupnorm and for the kernels that bring operands into panels and normalize them. A workgroup is
// one subgroup of 8 and takes a unit of one image: some blocks, which are whole groups. Everything is read by address: lavapipe
// gathers then, where a storage buffer takes a branch for every lane.
//
//   NORM 0: neither. 1: norm is vec2 [N][blocks*8], scale and shift, as groupnorm leaves them. 2: norm is float [2][C], gamma, then
//   beta, and the statistics are taken here: one step less, and x is in the cache when it is read again.
//
//   scale = gamma / sqrt(var + eps),  shift = beta - mean * scale
//
// A lane sums deviations from the plane's first pixel, 256 at a time; then the channels of a group, which have equally many
// pixels, are merged: the squares of their means' deviations from the group's mean count as well.
#ifndef UNIT_GLSL
#define UNIT_GLSL
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_control_flow_attributes : enable
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_ballot : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#define HALVES
#include "block.glsl"

layout(local_size_x_id = 0) in; // 8
layout(constant_id = 1) const int NORM = 0;
layout(constant_id = 2) const int BLOCKS = 1; // that are read together; divides those of a unit
layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer Halves { Half v[2]; };
layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer Affine { uint64_t v; };
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer Parameter { float v; };

const int SUM = 256; // pixels that a lane sums up before it adds the sum to the others
const int VALUES = BLOCKS * 8;
const int MOST = 256; // channels of a unit whose statistics are taken

shared vec2 moments[NORM == 2 ? MOST : 1]; // of a channel: mean, sum of squared deviations
shared vec2 groups[NORM == 2 ? MOST : 1];  // mean, 1 / standard deviation

int lane;

// The channels of BLOCKS blocks of x at one pixel, planes of so many bytes apart.
void load(uint64_t at, uint64_t plane, out float f[VALUES]) {
  [[unroll]] for (int b = 0; b < BLOCKS; b++) {
    Halves block = Halves(at + uint64_t(b) * plane);
    float lo[4], hi[4];
    unpack(block.v[0], lo);
    unpack(block.v[1], hi);
    [[unroll]] for (int i = 0; i < 4; i++) f[b * 8 + i] = lo[i], f[b * 8 + 4 + i] = hi[i];
  }
}

// The sum of v over all lanes.
float all(float v) {
  v += subgroupShuffleXor(v, 1);
  v += subgroupShuffleXor(v, 2);
  return v + subgroupShuffleXor(v, 4);
}

// Leaves moments and groups of the unit, so many blocks and groups of so many channels, whose first plane begins at from.
void takeStatistics(uint64_t from, int unit, int group, int pixels, float eps) {
  uint64_t plane = uint64_t(pixels) * uint64_t(BLOCK_BYTES);
  for (int b = 0; b < unit; b += BLOCKS) {
    // Mesa 26 goes through a loop once more without lanes, and loads what has one address for all of them even so.
    uint64_t at = from + uint64_t(min(b, unit - BLOCKS)) * plane;
    float shift[VALUES], s[VALUES], q[VALUES];
    load(at, plane, shift);
    [[unroll]] for (int c = 0; c < VALUES; c++) s[c] = 0.0, q[c] = 0.0;
    for (int first = 0; first < pixels; first += 8 * SUM) {
      float ss[VALUES], qq[VALUES];
      [[unroll]] for (int c = 0; c < VALUES; c++) ss[c] = 0.0, qq[c] = 0.0;
      for (int p = first + lane; p < min(first + 8 * SUM, pixels); p += 8) {
        float v[VALUES];
        load(at + uint64_t(p) * uint64_t(BLOCK_BYTES), plane, v);
        [[unroll]] for (int c = 0; c < VALUES; c++) {
          float d = v[c] - shift[c];
          ss[c] += d;
          qq[c] = fma(d, d, qq[c]);
        }
      }
      [[unroll]] for (int c = 0; c < VALUES; c++) s[c] += ss[c], q[c] += qq[c];
    }
    [[unroll]] for (int k = 0; k < BLOCKS; k++) {
      vec2 mine = vec2(0.0); // of channel lane
      [[unroll]] for (int c = 0; c < 8; c++) {
        float sum = all(s[k * 8 + c]), mean = sum / float(pixels);
        vec2 m = vec2(shift[k * 8 + c] + mean, max(all(q[k * 8 + c]) - sum * mean, 0.0));
        mine = lane == c ? m : mine;
      }
      moments[(b + k) * 8 + lane] = mine;
    }
  }
  subgroupBarrier();
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
  subgroupBarrier();
}

// Scale and shift of a channel of an image of so many, which is number `inUnit` of the unit.
vec2 affineOf(uint64_t norm, int image, int channel, int channels, int inUnit, int group) {
  if (NORM == 1) return uintBitsToFloat(unpackUint2x32(Affine(norm + uint64_t((image * channels + channel) * 8)).v));
  vec2 m = groups[inUnit / group];
  float scale = Parameter(norm + uint64_t(channel * 4)).v * m.y;
  return vec2(scale, Parameter(norm + uint64_t((channels + channel) * 4)).v - m.x * scale);
}

#endif
