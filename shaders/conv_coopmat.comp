#version 450
// Convolution on matrix units (VK_KHR_cooperative_matrix), for fp16 storage: binary16 products, binary32
// sums. A subgroup makes its part of the tile (coopmat.glsl) as matrices of TM pixels x TN output channels. Interface
// in conv.glsl, grid in coopmat.glsl.
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define STATS_ID 20
#define RESULT_BYTES 4
#include "coopmat.glsl"
#include "moments.glsl"

layout(constant_id = 18) const int TM = 16;
layout(constant_id = 19) const int TK = 16;

uvec4 stored[YP * YB];

// Writes the moments of the subgroup's pixels in each of the TN channels from the invocation's block ob on, which it has
// stored. Lanes with the same blocks hand half of their channels on to one another until each has the moments of all
// pixels in a part of the channels.
void writeMoments(int ob) {
  const int LANES = min(SUBGROUP, SUB_PIXELS);
  int pixels = outHeight * outWidth, lane = int(gl_SubgroupInvocationID) % SUB_PIXELS, from = p0 + subPixel;
  for (int n = from / pixels; n * pixels < min(from + SUB_PIXELS, count); n++) {
    int begin = max(n * pixels - from, 0), end = min((n + 1) * pixels - from, SUB_PIXELS); // the image's pixels
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
    [[unroll]] for (int i = 0; i < held; i++) {
      int b = ob + (channel + i) / 8 * YS;
      if (writes && b < outBlocks) part[(chunkOf(n) * planes + first + b) * 8 + (channel + i) % 8] = m[i];
    }
  }
}

void main() {
  if (!beginTile()) return;
  const int ROWS = SUB_PIXELS / TM, COLUMNS = SUB_CHANNELS / TN;
  coopmat<float, gl_ScopeSubgroup, TM, TN, gl_MatrixUseAccumulator> acc[ROWS * COLUMNS];
  [[unroll]] for (int i = 0; i < ROWS * COLUMNS; i++)
    acc[i] = coopmat<float, gl_ScopeSubgroup, TM, TN, gl_MatrixUseAccumulator>(0.0);

  beginSteps();
  for (int s = 0; s < steps(); s++) {
    beginStep(s);
    int at = stepAt(s);
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
    endStep(s);
  }

  // The residual of the next channels is loaded before y is stored, which may be the same memory.
  beginResults();
  int lane = int(gl_SubgroupInvocationID), pixels = outHeight * outWidth;
  int result = int(gl_SubgroupID) * RESULT, ob = b0 + subChannel / 8 + lane / SUB_PIXELS;
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
    if (STATS) writeMoments(ob + c * (TN / 8));
  }
}
