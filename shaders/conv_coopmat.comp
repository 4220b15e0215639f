#version 450
// Convolution on matrix units (VK_KHR_cooperative_matrix), for fp16 storage: binary16 products, binary32
// sums. A workgroup makes PIXELS x CHANNELS of y, a subgroup of it SUB_PIXELS x SUB_CHANNELS as
// matrices of TM pixels x TN output channels. Interface in conv.glsl.
//
// The sum runs over the blocks of all taps, [KH*KW][inBlocks], as they follow each other in w, STEP
// of them at a time. A step goes through shared memory in rows of its input channels, for every
// pixel and every output channel; an odd stride in words of 16 bytes keeps rows apart in the banks.
// What the next step needs is loaded into registers while this one is multiplied; GroupNorm, ReLU and
// the zero border are applied on the way from there to shared memory, where x is rounded to binary16.
//
// Rounding to binary16 is the device's own, to nearest wherever there are matrix units; pack() of
// block.glsl would cost as much as the products of a thin layer.
//
// A chunk of statistics is the SUB_PIXELS pixels of a subgroup, what of them belongs to one image.
//
// Grid: z = image, x = tiles of PIXELS pixels, y = tiles of CHANNELS. Where all images share their weights
// their pixels are one row, and its tiles are counted along x, then z: those past the last have nothing
// to do.
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define OPERAND Block
#define AFFINE vec4
#define STATS_ID 20
#include "conv.glsl"
#include "moments.glsl"

layout(constant_id = 9) const int TM = 16;
layout(constant_id = 10) const int TN = 16;
layout(constant_id = 11) const int TK = 16;
layout(constant_id = 12) const int PIXELS = 128;
layout(constant_id = 13) const int CHANNELS = 128;
layout(constant_id = 14) const int STEP = 4;
layout(constant_id = 15) const int SUB_PIXELS = 64;
layout(constant_id = 16) const int SUB_CHANNELS = 64;
layout(constant_id = 17) const int BUFFERS = 2; // steps in shared memory, 1 or 2
layout(constant_id = 18) const int SUBGROUP = 32;
layout(constant_id = 19) const bool ALIGNED = false; // inBlocks is a multiple of STEP

const int SUBGROUPS = (PIXELS / SUB_PIXELS) * (CHANNELS / SUB_CHANNELS);
const int THREADS = SUBGROUPS * SUBGROUP; // local_size_x
const int ROW = STEP + 1;                 // words from row to row of a step
const int BUFFER = (PIXELS + CHANNELS) * ROW;
const int RESULT_ROW = TN / 4 + 1; // words from row to row of results, binary32
const int RESULT = SUB_PIXELS * RESULT_ROW;
const int STEP_WORDS = BUFFERS * BUFFER;
const int RESULT_WORDS = SUBGROUPS * RESULT;

// Words of 16 bytes: the steps' rows, those of pixels before those of channels; later the results.
shared uvec4 tile[STEP_WORDS > RESULT_WORDS ? STEP_WORDS : RESULT_WORDS];

// An invocation stages XP pixels, THREADS apart, with XK blocks each, KS apart, and WS rows of weights.
const int XP = THREADS < PIXELS ? PIXELS / THREADS : 1;
const int KS = THREADS < PIXELS ? 1 : THREADS / PIXELS;
const int XK = STEP / KS;
const int WS = CHANNELS * STEP / THREADS;
uvec4 xs[XP * XK], ws[WS];
bool inside[XP * XK];
int xBase[XP], affine[XP], iy[XP], ix[XP], wBase[WS];

// The step that is being staged: its first block, and for ALIGNED that block's tap and channels.
int block, tap, channels;

void load() {
  const bool PADDED = PH > 0 || PW > 0;
  int plane = height * width, last = KH * KW * inBlocks - 1;
  int k0 = int(gl_LocalInvocationID.x) / PIXELS, kw = int(gl_LocalInvocationID.x) / 8 % STEP;
  [[unroll]] for (int i = 0; i < XK; i++) {
    int k = k0 + i * KS, t = tap, c = channels + k;
    if (!ALIGNED) {
      int b = min(block + k, last);
      t = b / inBlocks, c = b - t * inBlocks;
    }
    int ky = t / KW, kx = t - ky * KW;
    [[unroll]] for (int j = 0; j < XP; j++) {
      int sy = iy[j] + ky, sx = ix[j] + kx;
      bool has = !PADDED || (uint(sy) < uint(height) && uint(sx) < uint(width));
      if (!ALIGNED) has = has && block + k <= last;
      inside[i * XP + j] = has;
      xs[i * XP + j] = x[xBase[j] + c * plane + (has ? sy * width + sx : 0)].q;
    }
  }
  int b = ALIGNED ? block : min(block + kw, last) - kw;
  [[unroll]] for (int i = 0; i < WS; i++) ws[i] = w[wBase[i] + 8 * b].q;
}

// Two channels: a is their (scale, shift).
uint normalize(uint pair, vec4 a) {
  f16vec2 v = f16vec2(fma(unpackHalf2x16(pair), a.xz, a.yw));
  return packFloat2x16(clamp(v, f16vec2(0.0), f16vec2(65504.0)));
}

void store(int at) {
  int id = int(gl_LocalInvocationID.x), k0 = id / PIXELS, p0 = id % PIXELS, last = KH * KW * inBlocks - 1;
  [[unroll]] for (int i = 0; i < XK; i++) {
    int k = k0 + i * KS, c = channels + k;
    if (!ALIGNED) c = min(block + k, last) % inBlocks;
    [[unroll]] for (int j = 0; j < XP; j++) {
      uvec4 v = xs[i * XP + j];
      if (NORM) {
        int n = affine[j] + 4 * c;
        v = uvec4(normalize(v.x, norm[n]), normalize(v.y, norm[n + 1]), normalize(v.z, norm[n + 2]),
                  normalize(v.w, norm[n + 3]));
      }
      tile[at + (p0 + j * THREADS) * ROW + k] = inside[i * XP + j] ? v : uvec4(0);
    }
  }
  // Eight rows of a block of weights, then the step's other blocks, then other output channels.
  int row = id / (8 * STEP) * 8 + id % 8, k = id / 8 % STEP;
  [[unroll]] for (int i = 0; i < WS; i++)
    tile[at + (PIXELS + row + i * (THREADS / STEP)) * ROW + k] = ws[i];
}

// What an invocation stores of TN channels: YP pixels, SUBGROUP apart, YB blocks of each, YS apart.
const int YP = SUBGROUP < SUB_PIXELS ? SUB_PIXELS / SUBGROUP : 1;
const int YS = SUBGROUP < SUB_PIXELS ? 1 : SUBGROUP / SUB_PIXELS;
const int YB = TN / 8 / YS;
uvec4 stored[YP * YB];

// The moments of a subgroup's SUB_PIXELS pixels, from p0 on, in each of the TN channels from the invocation's block ob on, which are
// stored in y: chunks of statistics. Lanes with the same blocks hand half of their channels on to one another until
// each has the moments of all pixels in a part of the channels.
void writeMoments(int p0, int count, int ob, int blocks) {
  const int LANES = min(SUBGROUP, SUB_PIXELS);
  int pixels = outHeight * outWidth, lane = int(gl_SubgroupInvocationID) % SUB_PIXELS;
  int chunks = (pixels + 2 * SUB_PIXELS - 2) / SUB_PIXELS;
  for (int n = p0 / pixels; n * pixels < min(p0 + SUB_PIXELS, count); n++) {
    int begin = max(n * pixels - p0, 0), end = min((n + 1) * pixels - p0, SUB_PIXELS); // the image's pixels
    float own = 0.0;
    bool has[YP];
    [[unroll]] for (int j = 0; j < YP; j++) {
      int p = lane + j * SUBGROUP;
      has[j] = p >= begin && p < end;
      own += has[j] ? 1.0 : 0.0;
    }
    vec2 m[8 * YB]; // first of the invocation's own pixels, as deviations from one of them
    [[unroll]] for (int i = 0; i < 4 * YB; i++) {
      vec2 shift = vec2(0.0), sum = vec2(0.0), squares = vec2(0.0);
      [[unroll]] for (int j = YP - 1; j >= 0; j--)
        if (has[j]) shift = unpackHalf2x16(stored[i / 4 * YP + j][i % 4]);
      [[unroll]] for (int j = 0; j < YP; j++) {
        vec2 v = unpackHalf2x16(stored[i / 4 * YP + j][i % 4]), d = has[j] ? v - shift : vec2(0.0);
        sum += d;
        squares += d * d;
      }
      vec2 mean = sum / max(own, 1.0), m2 = max(squares - sum * mean, 0.0);
      m[2 * i] = vec2(shift.x + mean.x, m2.x), m[2 * i + 1] = vec2(shift.y + mean.y, m2.y);
    }
    int held = 8 * YB, channel = 0;
    bool writes = true;
    [[unroll]] for (int d = LANES / 2; d > 0; d /= 2) {
      bool upper = (lane & d) != 0;
      float others = subgroupShuffleXor(own, d);
      if (held > 1) {
        held /= 2;
        channel += upper ? held : 0;
        [[unroll]] for (int i = 0; i < held; i++) {
          vec2 other = subgroupShuffleXor(upper ? m[i] : m[i + held], d);
          m[i] = merge(upper ? m[i + held] : m[i], own, other, others);
        }
      } else {
        m[0] = merge(m[0], own, subgroupShuffleXor(m[0], d), others);
        writes = writes && !upper;
      }
      own += others;
    }
    int k = n * chunks + p0 / SUB_PIXELS - n * pixels / SUB_PIXELS;
    [[unroll]] for (int i = 0; i < held; i++) {
      int b = ob + (channel + i) / 8 * YS;
      if (writes && b < blocks) part[(k * planes + first + b) * 8 + (channel + i) % 8] = m[i];
    }
  }
}

void main() {
  int id = int(gl_LocalInvocationID.x), sub = int(gl_SubgroupID), lane = int(gl_SubgroupInvocationID);
  int pixels = outHeight * outWidth, plane = height * width, taps = KH * KW;
  // The pixels that count as one row, those of the images from image0 on, and where in it this tile is.
  bool joined = positions == 1;
  int image0 = joined ? 0 : int(gl_WorkGroupID.z), count = pixels * (joined ? int(gl_NumWorkGroups.z) : 1);
  int p0 = int(gl_WorkGroupID.x + (joined ? gl_WorkGroupID.z * gl_NumWorkGroups.x : 0)) * PIXELS;
  int b0 = int(gl_WorkGroupID.y) * (CHANNELS / 8);
  if (p0 >= count) return;

  [[unroll]] for (int j = 0; j < XP; j++) {
    int p = min(p0 + id % PIXELS + j * THREADS, count - 1), n = p / pixels, image = image0 + n;
    p -= n * pixels;
    iy[j] = p / outWidth * SH - PH;
    ix[j] = p % outWidth * SW - PW;
    xBase[j] = image * inBlocks * plane;
    affine[j] = image * inBlocks * 4;
  }
  [[unroll]] for (int i = 0; i < WS; i++) {
    int b = min(b0 + id / (8 * STEP) + i * (THREADS / (8 * STEP)), outBlocks - 1);
    wBase[i] = ((b * positions + (joined ? 0 : image0)) * taps * inBlocks + id / 8 % STEP) * 8 + id % 8;
  }

  const int ROWS = SUB_PIXELS / TM, COLUMNS = SUB_CHANNELS / TN;
  coopmat<float, gl_ScopeSubgroup, TM, TN, gl_MatrixUseAccumulator> acc[ROWS * COLUMNS];
  [[unroll]] for (int i = 0; i < ROWS * COLUMNS; i++)
    acc[i] = coopmat<float, gl_ScopeSubgroup, TM, TN, gl_MatrixUseAccumulator>(0.0);
  int subPixel = sub % (PIXELS / SUB_PIXELS) * SUB_PIXELS, subChannel = sub / (PIXELS / SUB_PIXELS) * SUB_CHANNELS;

  block = tap = channels = 0;
  load();
  store(0);
  barrier();
  int steps = (taps * inBlocks + STEP - 1) / STEP;
  for (int s = 0; s < steps; s++) {
    bool more = s + 1 < steps;
    if (more) {
      block += STEP, channels += STEP;
      if (ALIGNED && channels == inBlocks) channels = 0, tap++;
      load();
    }
    int at = BUFFERS > 1 ? (s & 1) * BUFFER : 0;
    [[unroll]] for (int k = 0; k < STEP * 8 / TK; k++) {
      coopmat<float16_t, gl_ScopeSubgroup, TM, TK, gl_MatrixUseA> a[ROWS];
      [[unroll]] for (int i = 0; i < ROWS; i++)
        coopMatLoad(a[i], tile, at + (subPixel + i * TM) * ROW + k * (TK / 8), ROW, gl_CooperativeMatrixLayoutRowMajor);
      [[unroll]] for (int j = 0; j < COLUMNS; j++) {
        coopmat<float16_t, gl_ScopeSubgroup, TK, TN, gl_MatrixUseB> b;
        coopMatLoad(b, tile, at + (PIXELS + subChannel + j * TN) * ROW + k * (TK / 8), ROW,
                    gl_CooperativeMatrixLayoutColumnMajor);
        [[unroll]] for (int i = 0; i < ROWS; i++)
          acc[j * ROWS + i] = coopMatMulAdd(a[i], b, acc[j * ROWS + i]);
      }
    }
    if (more) {
      if (BUFFERS == 1) barrier();
      store(BUFFERS > 1 ? (~s & 1) * BUFFER : 0);
    }
    barrier();
  }

  // TN channels at a time go through shared memory, so that an invocation has whole blocks. The residual of the next
  // ones is loaded before y is stored, which may be the same memory.
  int yBase[YP];
  bool isPixel[YP];
  [[unroll]] for (int j = 0; j < YP; j++) {
    int p = p0 + subPixel + lane % SUB_PIXELS + j * SUBGROUP, n = p / pixels;
    isPixel[j] = p < count;
    yBase[j] = ((image0 + n) * planes + first) * pixels + p - n * pixels;
  }
  int result = sub * RESULT, ob = b0 + subChannel / 8 + lane / SUB_PIXELS;
  uvec4 next[YP * YB];
  [[unroll]] for (int c = RESIDUAL ? -1 : 0; c < COLUMNS; c++) {
    uvec4 now[YP * YB];
    [[unroll]] for (int i = 0; i < YP * YB; i++) {
      int b = ob + (c + 1) * (TN / 8) + i / YP * YS;
      now[i] = next[i];
      if (RESIDUAL && c + 1 < COLUMNS && isPixel[i % YP] && b < outBlocks)
        next[i] = residual[yBase[i % YP] + b * pixels].q;
    }
    if (c < 0) continue;
    subgroupBarrier();
    [[unroll]] for (int i = 0; i < ROWS; i++)
      coopMatStore(acc[c * ROWS + i], tile, result + i * TM * RESULT_ROW, RESULT_ROW, gl_CooperativeMatrixLayoutRowMajor);
    subgroupBarrier();
    [[unroll]] for (int i = 0; i < YP * YB; i++) {
      int k = i / YP * YS, b = ob + c * (TN / 8) + k;
      int at = result + (lane % SUB_PIXELS + i % YP * SUBGROUP) * RESULT_ROW + (lane / SUB_PIXELS + k) * 2;
      vec4 v[2] = vec4[2](uintBitsToFloat(tile[at]), uintBitsToFloat(tile[at + 1]));
      if (RESIDUAL) {
        v[0] += vec4(unpackHalf2x16(now[i].x), unpackHalf2x16(now[i].y));
        v[1] += vec4(unpackHalf2x16(now[i].z), unpackHalf2x16(now[i].w));
      }
      f16vec4 h[2];
      [[unroll]] for (int u = 0; u < 2; u++) h[u] = f16vec4(clamp(v[u], -65504.0, 65504.0));
      stored[i] = uvec4(packFloat2x16(h[0].xy), packFloat2x16(h[0].zw), packFloat2x16(h[1].xy), packFloat2x16(h[1].zw));
      if (isPixel[i % YP] && b < outBlocks) y[yBase[i % YP] + b * pixels].q = stored[i];
    }
    if (STATS) writeMoments(p0 + subPixel, count, ob + c * (TN / 8), outBlocks);
  }
}
