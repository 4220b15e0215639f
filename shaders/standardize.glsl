// Weight standardization of the checkpoint's filters, one output channel to a workgroup.
//
//   w' = (w - mean) / sqrt(var + eps)     over the I*KH*KW values of one output channel, biased
//                                         variance (timm.layers.StdConv2d); w' = w unless STANDARDIZE
//
// The mean is taken in two steps, the second over the deviations from the first's result. What is
// left then sums to zero far below the rounding of one weight. That matters twice: behind a ReLU an
// error in the mean adds up over all inputs, and where a filter's spread is far below its mean, so
// that eps decides, it would drown the filter.
//
//   binding 0  raw: [O][I][T] as in the checkpoint, T = KH*KW; DTYPE 0 binary32, 1 binary16, 2 bfloat16
#ifndef STANDARDIZE_GLSL
#define STANDARDIZE_GLSL

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint SIZE = 64;
layout(constant_id = 1) const uint DTYPE = 0;
layout(constant_id = 2) const bool STANDARDIZE = true;
layout(std430, binding = 0) readonly buffer Raw { uint raw[]; };

shared float partial[SIZE];

float weight(uint i) {
  if (DTYPE == 0) return uintBitsToFloat(raw[i]);
  uint pair = raw[i >> 1];
  if (DTYPE == 1) {
    vec2 v = unpackHalf2x16(pair);
    return (i & 1u) == 0u ? v.x : v.y;
  }
  return uintBitsToFloat((i & 1u) == 0u ? pair << 16 : pair & 0xffff0000u);
}

// Sums v over the workgroup.
float total(float v) {
  uint lane = gl_LocalInvocationID.x;
  barrier();
  partial[lane] = v;
  barrier();
  float s = 0.0;
  for (uint i = 0u; i < SIZE; i++) s += partial[i];
  return s;
}

// What turns the weights of one filter into standardized ones.
float origin = 0.0, mean = 0.0, scale = 1.0; // the mean is origin + mean

// Computes it for the filterSize weights from base on; of a filter that is not live nothing is read. A lane
// sums up in blocks, so that the rounding does not grow with the filter where there are few lanes.
void measure(bool live, uint base, uint filterSize, float eps) {
  if (!STANDARDIZE) return;
  const uint BLOCK = 32u * SIZE;
  uint lane = gl_LocalInvocationID.x, end = live ? filterSize : 0u;
  float s = 0.0;
  for (uint i = lane; i < end; i += SIZE) s += weight(base + i);
  origin = total(s) / float(filterSize);
  s = 0.0;
  float q = 0.0;
  for (uint first = lane; first < end; first += BLOCK) {
    float blockS = 0.0, blockQ = 0.0;
    for (uint i = first; i < min(first + BLOCK, end); i += SIZE) {
      float d = weight(base + i) - origin;
      blockS += d;
      blockQ = fma(d, d, blockQ);
    }
    s += blockS;
    q += blockQ;
  }
  mean = total(s) / float(filterSize);
  scale = 1.0 / sqrt(max(total(q) / float(filterSize) - mean * mean, 0.0) + eps);
}

float standardized(uint i) { return (weight(i) - origin - mean) * scale; }

#endif
