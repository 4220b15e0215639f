// How activations and packed weights lie in memory, and the conversions to and from registers.
//
// Activations are NCHW8c: [N][ceil(C/8)][H][W][8], eight consecutive channels of a pixel in one
// block. Channels past C are zero. A block is 16 bytes of binary16 (F16) or 32 bytes of binary32.
// Arithmetic is always binary32. Packing to binary16 rounds to nearest even and saturates at the
// largest finite value, on every driver: packHalf2x16 alone may truncate.
#ifndef BLOCK_GLSL
#define BLOCK_GLSL

#if F16
#define BLOCK_BYTES 16

struct Block {
  uvec4 q;
};

// Quad is half a block, four consecutive channels.
struct Quad {
  uvec2 q;
};

#ifdef HALVES
// Half is a Quad in 64-bit words: CPU drivers load lane by lane, so that one wide word is cheaper
// than two.
struct Half {
  uint64_t q;
};

void unpack(Half h, out float v[4]) {
  uvec2 q = unpackUint2x32(h.q);
  vec2 p0 = unpackHalf2x16(q.x), p1 = unpackHalf2x16(q.y);
  v[0] = p0.x, v[1] = p0.y, v[2] = p1.x, v[3] = p1.y;
}
#endif

void unpack(Quad h, out float v[4]) {
  vec2 p0 = unpackHalf2x16(h.q.x), p1 = unpackHalf2x16(h.q.y);
  v[0] = p0.x, v[1] = p0.y, v[2] = p1.x, v[3] = p1.y;
}

void unpack(Block b, out float v[8]) {
  vec2 p0 = unpackHalf2x16(b.q.x), p1 = unpackHalf2x16(b.q.y);
  vec2 p2 = unpackHalf2x16(b.q.z), p3 = unpackHalf2x16(b.q.w);
  v[0] = p0.x, v[1] = p0.y, v[2] = p1.x, v[3] = p1.y;
  v[4] = p2.x, v[5] = p2.y, v[6] = p3.x, v[7] = p3.y;
}

// Rounds x to the nearest binary16 value, ties to even, and leaves it in binary32. Below 2^-14,
// where binary16 is subnormal, the spacing is 2^-24: adding and subtracting 0.75 rounds to it.
float roundHalf(float x) {
  x = clamp(x, -65504.0, 65504.0);
  uint u = floatBitsToUint(x);
  float normal = uintBitsToFloat((u + 0xfffu + ((u >> 13) & 1u)) & 0xffffe000u);
  precise float shifted = x + 0.75;
  precise float subnormal = shifted - 0.75;
  return abs(x) < 6.103515625e-5 ? subnormal : normal;
}

// The bits of roundHalf(x), without packHalf2x16, for which lavapipe's compiler makes branches. Adding 0.5 rounds subnormal values
// and leaves them in the lowest bits.
uint bitsOfHalf(float x) {
  uint u = floatBitsToUint(x), a = min(u & 0x7fffffffu, 0x477fe000u); // at most 65504
  precise float shifted = uintBitsToFloat(a) + 0.5;
  uint normal = ((a + 0xfffu + ((a >> 13) & 1u)) >> 13) - 0x1c000u;
  return ((u >> 16) & 0x8000u) | (a < 0x38800000u ? floatBitsToUint(shifted) - 0x3f000000u : normal);
}

uint packPair(float a, float b) { return bitsOfHalf(a) | bitsOfHalf(b) << 16; }

Quad pack(float v[4]) { return Quad(uvec2(packPair(v[0], v[1]), packPair(v[2], v[3]))); }

#ifdef HALVES
// The words of a Half.
void packWords(float v[4], out uint64_t words[1]) {
  words[0] = packUint2x32(uvec2(packPair(v[0], v[1]), packPair(v[2], v[3])));
}
#endif

Block pack(float v[8]) {
  return Block(uvec4(packPair(v[0], v[1]), packPair(v[2], v[3]), packPair(v[4], v[5]),
                     packPair(v[6], v[7])));
}
#else
#define BLOCK_BYTES 32

struct Block {
  vec4 lo, hi;
};

struct Quad {
  vec4 q;
};

#ifdef HALVES
struct Half {
  uint64_t lo, hi;
};

void unpack(Half h, out float v[4]) {
  vec2 lo = uintBitsToFloat(unpackUint2x32(h.lo)), hi = uintBitsToFloat(unpackUint2x32(h.hi));
  v[0] = lo.x, v[1] = lo.y, v[2] = hi.x, v[3] = hi.y;
}
#endif

void unpack(Quad h, out float v[4]) {
  v[0] = h.q.x, v[1] = h.q.y, v[2] = h.q.z, v[3] = h.q.w;
}

void unpack(Block b, out float v[8]) {
  v[0] = b.lo.x, v[1] = b.lo.y, v[2] = b.lo.z, v[3] = b.lo.w;
  v[4] = b.hi.x, v[5] = b.hi.y, v[6] = b.hi.z, v[7] = b.hi.w;
}

Quad pack(float v[4]) { return Quad(vec4(v[0], v[1], v[2], v[3])); }

#ifdef HALVES
void packWords(float v[4], out uint64_t words[2]) {
  words[0] = packUint2x32(floatBitsToUint(vec2(v[0], v[1])));
  words[1] = packUint2x32(floatBitsToUint(vec2(v[2], v[3])));
}
#endif

Block pack(float v[8]) {
  return Block(vec4(v[0], v[1], v[2], v[3]), vec4(v[4], v[5], v[6], v[7]));
}
#endif

#endif
