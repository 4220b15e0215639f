#version 450
// Convolution for any device: a workgroup of 64 makes 64 output channels of 64 consecutive pixels of
// one image, eight by eight an invocation. Every step over eight input channels of one tap goes
// through shared memory, where GroupNorm, ReLU and the zero border are applied once for the whole
// workgroup. Interface in conv.glsl. A chunk of statistics is a tile's pixels.
//
// Grid: x = tiles of 64 pixels, y = tiles of 8 output blocks, z = image.
#extension GL_GOOGLE_include_directive : require
#define OPERAND Block
#define AFFINE vec2
#define STATS_ID 9
#include "conv.glsl"
#include "moments.glsl"

shared vec4 xs[8 * 16]; // [input channel][pixel]; later means [invocation][output channel]
shared vec4 ws[8 * 16]; // [input channel][output channel]; later sums of squares [invocation][output channel]

// Component i of the 64 values that a shared row of 16 vectors holds.
#define ROW_STORE(row, u, i, value) row[(u) * 16 + ((i) >> 2)][(i) & 3] = value

void main() {
  const bool PADDED = PH > 0 || PW > 0;
  int lane = int(gl_LocalInvocationID.x), px = lane & 7, ob = lane >> 3;
  int pixels = outHeight * outWidth, plane = height * width, image = int(gl_WorkGroupID.z);
  int p0 = int(gl_WorkGroupID.x) * 64, b0 = int(gl_WorkGroupID.y) * 8;

  // What this invocation loads: the pixel and the output channel of its own number.
  int p = min(p0 + lane, pixels - 1);
  int iy = p / outWidth * SH - PH, ix = p % outWidth * SW - PW;
  int xBase = image * inBlocks * plane, ni = image * inBlocks * 8;
  int wi = (min(b0 + ob, outBlocks - 1) * positions + image % positions) * KH * KW * inBlocks * 8 +
           px;

  vec4 acc[8][2]; // [pixel][output channel]
  [[unroll]] for (int j = 0; j < 8; j++) acc[j][0] = acc[j][1] = vec4(0.0);
#if !F16
  vec4 total[8][2]; // of the partial sums that are done
  [[unroll]] for (int j = 0; j < 8; j++) total[j][0] = total[j][1] = vec4(0.0);
#endif

  for (int t = 0; t < KH * KW; t++) {
    int ky = t / KW, kx = t - ky * KW;
    int sy = iy + ky, sx = ix + kx;
    bool inside = !PADDED || (uint(sy) < uint(height) && uint(sx) < uint(width));
    int xi = xBase + (inside ? sy * width + sx : 0);
    for (int k = 0; k < inBlocks; k++, xi += plane, wi += 8) {
#if !F16
      if (k % SUM_BLOCKS == 0) {
        [[unroll]] for (int j = 0; j < 8; j++) {
          total[j][0] += acc[j][0], total[j][1] += acc[j][1];
          acc[j][0] = acc[j][1] = vec4(0.0);
        }
      }
#endif
      float xv[8], wv[8];
      unpack(x[xi], xv);
      unpack(w[wi], wv);
      barrier();
      [[unroll]] for (int u = 0; u < 8; u++) {
        float f = xv[u];
        if (NORM) {
          vec2 affine = norm[ni + 8 * k + u];
          f = max(fma(f, affine.x, affine.y), 0.0);
        }
        ROW_STORE(xs, u, lane, inside ? f : 0.0);
        ROW_STORE(ws, u, lane, wv[u]);
      }
      barrier();
      [[unroll]] for (int u = 0; u < 8; u++) {
        vec4 w0 = ws[u * 16 + 2 * ob], w1 = ws[u * 16 + 2 * ob + 1];
        [[unroll]] for (int h = 0; h < 2; h++) {
          vec4 xq = xs[u * 16 + 2 * px + h];
          [[unroll]] for (int j = 0; j < 4; j++) {
            acc[4 * h + j][0] = fma(vec4(xq[j]), w0, acc[4 * h + j][0]);
            acc[4 * h + j][1] = fma(vec4(xq[j]), w1, acc[4 * h + j][1]);
          }
        }
      }
    }
  }

#if !F16
  [[unroll]] for (int j = 0; j < 8; j++) acc[j][0] += total[j][0], acc[j][1] += total[j][1];
#endif
  bool isBlock = b0 + ob < outBlocks;
  if (!STATS && !isBlock) return;
  int plane0 = (image * planes + first + b0 + ob) * pixels, q0 = p0 + 8 * px;
  [[unroll]] for (int j = 0; j < 8; j++) {
    if (isBlock && q0 + j < pixels) {
      float v[8] = float[8](acc[j][0].x, acc[j][0].y, acc[j][0].z, acc[j][0].w, acc[j][1].x,
                            acc[j][1].y, acc[j][1].z, acc[j][1].w);
      if (RESIDUAL) {
        float r[8];
        unpack(residual[plane0 + q0 + j], r);
        [[unroll]] for (int i = 0; i < 8; i++) v[i] += r[i];
      }
      Block stored = pack(v);
      y[plane0 + q0 + j] = stored;
      if (STATS) {
        unpack(stored, v);
        acc[j][0] = vec4(v[0], v[1], v[2], v[3]), acc[j][1] = vec4(v[4], v[5], v[6], v[7]);
      }
    }
  }
  if (!STATS) return;

  // The moments of the invocation's own pixels, about the first of them, then of the tile's, by channel.
  int own = clamp(pixels - q0, 0, 8);
  barrier();
  [[unroll]] for (int h = 0; h < 2; h++) {
    vec4 mean = vec4(0.0), m2 = vec4(0.0);
    [[unroll]] for (int j = 1; j < 8; j++) if (j < own) mean += acc[j][h] - acc[0][h];
    mean = acc[0][h] + mean / float(max(own, 1));
    [[unroll]] for (int j = 0; j < 8; j++) if (j < own) m2 += (acc[j][h] - mean) * (acc[j][h] - mean);
    xs[2 * lane + h] = mean, ws[2 * lane + h] = m2;
  }
  barrier();
  vec2 m = vec2(0.0);
  float count = 0.0;
  for (int j = 0; j < 8; j++) {
    int i = 2 * (8 * ob + j) + (px >> 2);
    float n = float(clamp(pixels - p0 - 8 * j, 0, 8));
    m = merge(m, count, vec2(xs[i][px & 3], ws[i][px & 3]), n);
    count += n;
  }
  int chunk = image * ((pixels + 63) / 64) + int(gl_WorkGroupID.x);
  if (isBlock) part[(chunk * planes + first + b0 + ob) * 8 + px] = m;
}
