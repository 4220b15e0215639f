// Resampling of 8-bit pictures as Pillow does it (src/libImaging/Resample.c): an output sample is the
// weighted sum of the window of input samples from first on, in fixed point with 22 fractional bits,
// rounded and clamped to 8 bits. The host computes the windows (loader/resize_coeffs.go).
//
//   table: ivec4 [samples][1 + quads]: (first, 0, 0, 0), then 4*quads weights, zero past the window
//
// What has the weight zero is read all the same, so that it must lie within the buffer; what it is does
// not matter. No sum leaves 32 bits: the absolute weights of a window add up to less than 1.6 * 2^22.
#ifndef RESIZE_GLSL
#define RESIZE_GLSL

const int HALF = 1 << 21; // where every sum begins, so that the shift rounds

ivec3 channels(uint pixel) { return ivec3(pixel & 255u, (pixel >> 8) & 255u, (pixel >> 16) & 255u); }

// A pixel of a sum, in the low three bytes; the fourth is zero.
uint toPixel(ivec3 sum) {
  uvec3 v = uvec3(clamp(sum >> 22, 0, 255));
  return v.x | (v.y << 8) | (v.z << 16);
}

#endif
