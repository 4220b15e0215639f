// Winograd's minimal filtering of 3x3 convolutions with stride 1, F(MxM, 3x3), M = 2 or 4 (Lavin and
// Gray 2016, Fast Algorithms for Convolutional Neural Networks): for a tile of MxM outputs, with the
// A*A inputs d around them and a filter g, A = M + 2,
//
//   Y = AT [ (G g GT) * (B d BT) ] AT'      * element by element, summed over the input channels
//
// so the products of position p of the A*A are a 1x1 convolution over tiles, and a tile takes A*A
// products a channel in place of 9*M*M: 2.25 times fewer for M = 2, 4 times fewer for M = 4.
//
// F(2x2) interpolates at 0, 1, -1 and infinity. F(4x4) does at 0, +-5/8, +-3/2 and infinity: with
// operands and products rounded to binary16 this has half the error of the usual 0, +-1, +-2, and
// 2.4 times less with binary32. All entries of B and A are exact in binary32; the rows of B
// are monic, so operands, transformed filters and products are of the size of what they come from: at
// most 5, 1.3 and 3.2 times as large (root mean squares), and binary16 holds them as well.
#ifndef WINOGRAD_GLSL
#define WINOGRAD_GLSL
#extension GL_EXT_control_flow_attributes : enable

#ifndef TILE_ID
#define TILE_ID 1
#endif
layout(constant_id = TILE_ID) const int M = 4; // side of a tile of outputs
const int A = M + 2;                           // side of a tile of inputs, and of the transformed tile

const float P = 0.625, Q = 1.5, PP = P * P, QQ = Q * Q; // F(4x4): the finite points

// B d, of the first A values. Three operations a value at most.
void transformInput(float d[6], out float v[6]) {
  if (M == 2) {
    v[0] = d[0] - d[2], v[1] = d[1] + d[2], v[2] = d[2] - d[1], v[3] = d[3] - d[1];
  } else {
    float even = fma(-QQ, d[2], d[4]), odd = P * fma(-QQ, d[1], d[3]);
    v[1] = even + odd, v[2] = even - odd;
    even = fma(-PP, d[2], d[4]), odd = Q * fma(-PP, d[1], d[3]);
    v[3] = even + odd, v[4] = even - odd;
    v[0] = fma(PP * QQ, d[0], fma(-PP - QQ, d[2], d[4]));
    v[5] = fma(PP * QQ, d[1], fma(-PP - QQ, d[3], d[5]));
  }
}

// AT m, M values.
void transformOutput(float m[6], out float y[4]) {
  if (M == 2) {
    y[0] = m[0] + m[1] + m[2], y[1] = m[1] - m[2] + m[3];
  } else {
    float s = m[1] + m[2], d = m[1] - m[2], t = m[3] + m[4], e = m[3] - m[4];
    y[0] = m[0] + s + t, y[1] = fma(P, d, Q * e);
    y[2] = fma(PP, s, QQ * t), y[3] = fma(P * PP, d, fma(Q * QQ, e, m[5]));
  }
}

// Row p of G times three weights.
float transformWeight(int p, float a, float b, float c) {
  if (p == A - 1) return c;
  if (M == 2) return p == 0 ? a : 0.5 * (a + (p == 1 ? b : -b) + c);
  if (p == 0) return a / (PP * QQ);
  float x = p < 3 ? P : Q;
  float n = p < 3 ? 2.0 * PP * (PP - QQ) : 2.0 * QQ * (QQ - PP);
  return (a + x * ((p & 1) == 1 ? b : -b) + x * x * c) / n;
}

#endif
