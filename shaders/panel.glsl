// Panels, the form in which conv_panel reads its operand, after the packing of Goto and van de Geijn (2008, Anatomy
// of High-Performance Matrix Multiplication):
//
//   float [images][ceil(pixels/P)][K][P],   P even
//
// P consecutive pixels of a result side by side, for each of the K products that make one: K = kh*kw*inBlocks*8, in
// the order of the weights, [kh*kw][inBlocks][8]. Values are normalized and binary32, zero outside of the picture.
// What lies past the last pixel of an image is undefined.
#ifndef PANEL_GLSL
#define PANEL_GLSL
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require

// v / divisor, the product of both being below 2^31. reciprocal is 2^31 / divisor, rounded up.
int quotient(int v, uint reciprocal) { return int(uint(uint64_t(v) * uint64_t(reciprocal) >> 31)); }

// Where value k of a pixel lies in panels of p pixels. tiles = ceil(pixels/p), reciprocal is that of p.
int panelAt(int image, int tiles, int pixel, int products, int k, int p, uint reciprocal) {
  int tile = quotient(pixel, reciprocal);
  return ((image * tiles + tile) * products + k) * p + pixel - tile * p;
}

#endif
