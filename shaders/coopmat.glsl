// What the members for matrix units share: the tile of a workgroup, and how its operands come to shared memory. A workgroup makes
// PIXELS x CHANNELS of y, a subgroup of it SUB_PIXELS x SUB_CHANNELS.
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
// Results go through shared memory, too, TN channels at a time in RESULT_BYTES bytes each, so that an invocation
// stores whole blocks. A chunk of statistics is the SUB_PIXELS pixels of a subgroup, what of them belongs to one image.
//
// Grid: z = image, x = tiles of PIXELS pixels, y = tiles of CHANNELS. Where all images share their weights
// their pixels are one row, and its tiles are counted along x, then z: those past the last have nothing
// to do.
#ifndef COOPMAT_GLSL
#define COOPMAT_GLSL
#define OPERAND Block
#define AFFINE vec4
#include "conv.glsl"

layout(constant_id = 9) const int PIXELS = 128;
layout(constant_id = 10) const int CHANNELS = 128;
layout(constant_id = 11) const int STEP = 4;
layout(constant_id = 12) const int SUB_PIXELS = 64;
layout(constant_id = 13) const int SUB_CHANNELS = 64;
layout(constant_id = 14) const int BUFFERS = 2; // steps in shared memory, 1 or 2
layout(constant_id = 15) const int SUBGROUP = 32;
layout(constant_id = 16) const bool ALIGNED = false; // inBlocks is a multiple of STEP
layout(constant_id = 17) const int TN = 16; // output channels of a matrix

const int SUBGROUPS = (PIXELS / SUB_PIXELS) * (CHANNELS / SUB_CHANNELS);
const int THREADS = SUBGROUPS * SUBGROUP; // local_size_x
const int ROW = STEP + 1;                 // words from row to row of a step
const int BUFFER = (PIXELS + CHANNELS) * ROW;
const int RESULT_ROW = TN / (16 / RESULT_BYTES) + 1; // words from row to row of results
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

// The pixels that count as one row, those of the images from image0 on, and where in it the tile begins; its first block.
int image0, count, p0, b0;
int subPixel, subChannel; // where in the tile this subgroup's part begins

// Finds the tile; false if it is past the last.
bool beginTile() {
  int id = int(gl_LocalInvocationID.x), sub = int(gl_SubgroupID);
  int pixels = outHeight * outWidth, plane = height * width;
  bool joined = positions == 1;
  image0 = joined ? 0 : int(gl_WorkGroupID.z), count = pixels * (joined ? int(gl_NumWorkGroups.z) : 1);
  p0 = int(gl_WorkGroupID.x + (joined ? gl_WorkGroupID.z * gl_NumWorkGroups.x : 0)) * PIXELS;
  b0 = int(gl_WorkGroupID.y) * (CHANNELS / 8);
  subPixel = sub % (PIXELS / SUB_PIXELS) * SUB_PIXELS, subChannel = sub / (PIXELS / SUB_PIXELS) * SUB_CHANNELS;
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
    wBase[i] = ((b * positions + (joined ? 0 : image0)) * KH * KW * inBlocks + id / 8 % STEP) * 8 + id % 8;
  }
  return p0 < count;
}

int steps() { return (KH * KW * inBlocks + STEP - 1) / STEP; }

// Where the operands of step s are in shared memory.
int stepAt(int s) { return BUFFERS > 1 ? (s & 1) * BUFFER : 0; }

void beginSteps() {
  block = tap = channels = 0;
  load();
  store(0);
  barrier();
}

// Stands before the products of step s, and endStep after them.
void beginStep(int s) {
  if (s + 1 == steps()) return;
  block += STEP, channels += STEP;
  if (ALIGNED && channels == inBlocks) channels = 0, tap++;
  load();
}

void endStep(int s) {
  if (s + 1 < steps()) {
    if (BUFFERS == 1) barrier();
    store(stepAt(s + 1));
  }
  barrier();
}

// What an invocation stores of TN channels: YP pixels, SUBGROUP apart, YB blocks of each, YS apart.
const int YP = SUBGROUP < SUB_PIXELS ? SUB_PIXELS / SUBGROUP : 1;
const int YS = SUBGROUP < SUB_PIXELS ? 1 : SUBGROUP / SUB_PIXELS;
const int YB = TN / 8 / YS;
int yBase[YP];
bool isPixel[YP];

// Finds the pixels that the invocation stores.
void beginResults() {
  int pixels = outHeight * outWidth;
  [[unroll]] for (int j = 0; j < YP; j++) {
    int p = p0 + subPixel + int(gl_SubgroupInvocationID) % SUB_PIXELS + j * SUBGROUP, n = p / pixels;
    isPixel[j] = p < count;
    yBase[j] = ((image0 + n) * planes + first) * pixels + p - n * pixels;
  }
}

// The chunk of statistics of image n that the subgroup's pixels make.
int chunkOf(int n) {
  int pixels = outHeight * outWidth, chunks = (pixels + 2 * SUB_PIXELS - 2) / SUB_PIXELS;
  return n * chunks + (p0 + subPixel) / SUB_PIXELS - n * pixels / SUB_PIXELS;
}

#endif
