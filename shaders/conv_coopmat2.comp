#version 450
// Convolution on matrix units with matrices of any size (VK_NV_cooperative_matrix2: flexible dimensions, operations per element,
// reductions), for fp16 storage: binary16 products, binary32 sums. A subgroup makes its part of the tile (coopmat.glsl)
// as matrices of SUB_PIXELS pixels x TN output channels, and multiplies a whole step at once: how that is cut up for
// the matrix units is the driver's. The residual is added, and statistics are taken, within the matrices. Interface in conv.glsl,
// grid in coopmat.glsl.
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_NV_cooperative_matrix2 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define STATS_ID 18
#define RESULT_BYTES 2
#include "coopmat.glsl"

#define SUMS coopmat<float, gl_ScopeSubgroup, SUB_PIXELS, TN, gl_MatrixUseAccumulator>

// What follows is done to element v of pixel row and channel column, of a matrix whose channels begin with block b.

#define ELEMENT const in uint row, const in uint column, const in float v

// Adds the residual, saturates as binary16 does, and rounds to it where there are statistics: they are of what is stored, and a
// compiler may leave out a conversion to binary16 and back.
float finish(ELEMENT, const in int block0) {
  int pixels = outHeight * outWidth, p = p0 + subPixel + int(row), n = p / pixels, b = block0 + int(column) / 8;
  float sum = v;
  if (RESIDUAL && p < count && b < outBlocks) {
    uvec4 q = residual[((image0 + n) * planes + first + b) * pixels + p - n * pixels].q;
    vec2 pair = unpackHalf2x16(q[column % 8 / 2]);
    sum += column % 2 == 0 ? pair.x : pair.y;
  }
  return STATS ? roundHalf(sum) : clamp(sum, -65504.0, 65504.0);
}

// Zero but for the rows [begin, end).
float among(ELEMENT, const in int begin, const in int end) { return int(row) >= begin && int(row) < end ? v : 0.0; }

float square(ELEMENT) { return v * v; }
float add(const in float a, const in float b) { return a + b; }

// Writes one of a channel's moments of image n, which all rows have.
float writeMoment(ELEMENT, const in int block0, const in int n, const in int which) {
  int b = block0 + int(column) / 8;
  if (row == 0 && b < outBlocks) {
    int at = (chunkOf(n) * planes + first + b) * 8 + int(column) % 8;
    if (which == 0)
      part[at].x = v;
    else
      part[at].y = v;
  }
  return v;
}

// Writes the moments of the channels of a matrix: means, then sums of squared deviations from them.
void writeMoments(SUMS v, int block0) {
  int pixels = outHeight * outWidth, from = p0 + subPixel;
  for (int n = from / pixels; n * pixels < min(from + SUB_PIXELS, count); n++) {
    int begin = max(n * pixels - from, 0), end = min((n + 1) * pixels - from, SUB_PIXELS); // the image's pixels
    SUMS own, mean, m2;
    coopMatPerElementNV(own, v, among, begin, end);
    coopMatReduceNV(mean, own, gl_CooperativeMatrixReduceColumnNV, add);
    mean = mean * (1.0 / float(end - begin));
    own = v - mean;
    coopMatPerElementNV(own, own, square);
    coopMatPerElementNV(own, own, among, begin, end);
    coopMatReduceNV(m2, own, gl_CooperativeMatrixReduceColumnNV, add);
    coopMatPerElementNV(mean, mean, writeMoment, block0, n, 0);
    coopMatPerElementNV(m2, m2, writeMoment, block0, n, 1);
  }
}

void main() {
  if (!beginTile()) return;
  const int K = 8 * STEP, COLUMNS = SUB_CHANNELS / TN;
  SUMS acc[COLUMNS];
  [[unroll]] for (int j = 0; j < COLUMNS; j++) acc[j] = SUMS(0.0);

  beginSteps();
  for (int s = 0; s < steps(); s++) {
    beginStep(s);
    int at = stepAt(s);
    coopmat<float16_t, gl_ScopeSubgroup, SUB_PIXELS, K, gl_MatrixUseA> a;
    coopMatLoad(a, tile, at + subPixel * ROW, ROW, gl_CooperativeMatrixLayoutRowMajor);
    [[unroll]] for (int j = 0; j < COLUMNS; j++) {
      coopmat<float16_t, gl_ScopeSubgroup, K, TN, gl_MatrixUseB> b;
      coopMatLoad(b, tile, at + (PIXELS + subChannel + j * TN) * ROW, ROW, gl_CooperativeMatrixLayoutColumnMajor);
      acc[j] = coopMatMulAdd(a, b, acc[j]);
    }
    endStep(s);
  }

  // All of a matrix's residual is in it before any of y is stored, which may be the same memory.
  beginResults();
  int lane = int(gl_SubgroupInvocationID), pixels = outHeight * outWidth, result = int(gl_SubgroupID) * RESULT;
  [[unroll]] for (int c = 0; c < COLUMNS; c++) {
    int block0 = b0 + (subChannel + c * TN) / 8;
    coopMatPerElementNV(acc[c], acc[c], finish, block0);
    coopmat<float16_t, gl_ScopeSubgroup, SUB_PIXELS, TN, gl_MatrixUseAccumulator> h =
        coopmat<float16_t, gl_ScopeSubgroup, SUB_PIXELS, TN, gl_MatrixUseAccumulator>(acc[c]);
    subgroupBarrier();
    coopMatStore(h, tile, result, RESULT_ROW, gl_CooperativeMatrixLayoutRowMajor);
    subgroupBarrier();
    [[unroll]] for (int i = 0; i < YP * YB; i++) {
      int k = lane / SUB_PIXELS + i / YP * YS;
      if (isPixel[i % YP] && block0 + k < outBlocks)
        y[yBase[i % YP] + (block0 + k) * pixels].q = tile[result + (lane % SUB_PIXELS + i % YP * SUBGROUP) * RESULT_ROW + k];
    }
    if (STATS) writeMoments(acc[c], block0);
  }
}
