// Panels, the form in which conv_panel reads its operand, after the packing of Goto and van de Geijn (2008, Anatomy
// of High-Performance Matrix Multiplication):
//
//   float [images][ceil(pixels/P)][K][P]
//
// P consecutive pixels of a result side by side, for each of the K products that make one: K = KH*KW*inBlocks*8, in
// the order of the weights, [KH*KW][inBlocks][8]. Values are normalized and binary32, zero outside of the picture.
// What lies past the last pixel of an image is undefined.
#ifndef PANEL_GLSL
#define PANEL_GLSL

// Where value k of a pixel lies in panels of p pixels. tiles = ceil(pixels/p).
int panelAt(int image, int tiles, int pixel, int products, int k, int p) {
  int tile = p > 0 ? pixel / p : 0;
  return ((image * tiles + tile) * products + k) * p + pixel - tile * p;
}

#endif
