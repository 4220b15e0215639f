// Moments of sets of values, vec2(mean, sum of squared deviations from it), merged pairwise (Chan, Golub, LeVeque
// 1979): a large mean costs no digits. GroupNorm's statistics are kept as partial moments,
//
//   part: vec2 [N][chunks][planes][8]
//
// of every channel over a chunk of one image's pixels. Whoever writes a tensor may leave them (STATS), of the values as they
// are stored; gn_stats makes them of any tensor. gn_finalize knows from its push constants how many pixels each has.
#ifndef MOMENTS_GLSL
#define MOMENTS_GLSL

// Those of two sets of na and nb values together. Those of no values are zero, or count as such.
vec2 merge(vec2 a, float na, vec2 b, float nb) {
  float d = b.x - a.x, r = nb / max(na + nb, 1.0);
  return vec2(a.x + d * r, a.y + b.y + d * d * na * r);
}

#endif
