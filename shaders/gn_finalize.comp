#version 450
// GroupNorm's parameters as one scale and one shift per image and channel:
//
//   scale = gamma / sqrt(var + eps),  shift = beta - mean * scale
//
// so that a consumer normalizes with one fused multiply-add. var is the biased variance over the
// channels of the group and all pixels of the image (torch.nn.functional.group_norm). Channels past
// C get scale = shift = 0.
//
//   binding 0  part: vec2 [chunks][N*ceil(C/8)][8]    from gn_stats
//   binding 1  affine: float [2][C]                   gamma, then beta
//   binding 2  norm: vec2 [N][ceil(C/8)*8]            (scale, shift)
// One invocation makes one group of one image.
layout(local_size_x_id = 0) in;
layout(std430, binding = 0) readonly buffer Part { vec2 part[]; };
layout(std430, binding = 1) readonly buffer Affine { float affine[]; };
layout(std430, binding = 2) writeonly buffer Norm { vec2 norm[]; };
layout(push_constant) uniform Push { uint images, channels, groups, pixels, chunk; float eps; };

void main() {
  uint i = gl_GlobalInvocationID.x;
  if (i >= images * groups) return;
  uint n = i / groups, g = i % groups;
  uint size = channels / groups, stride = (channels + 7u) / 8u * 8u;
  uint chunks = (pixels + chunk - 1u) / chunk;

  float count = 0.0, mean = 0.0, m2 = 0.0;
  for (uint k = 0u; k < chunks; k++) {
    float nb = float(min(chunk, pixels - k * chunk));
    for (uint c = g * size; c < (g + 1u) * size; c++) {
      vec2 b = part[(k * images + n) * stride + c];
      float total = count + nb, d = b.x - mean, r = nb / total;
      mean += d * r;
      m2 += b.y + d * d * count * r;
      count = total;
    }
  }
  float rstd = 1.0 / sqrt(m2 / count + eps);
  for (uint c = g * size; c < (g + 1u) * size; c++) {
    float scale = affine[c] * rstd;
    norm[n * stride + c] = vec2(scale, affine[channels + c] - mean * scale);
  }
  if (g == groups - 1u)
    for (uint c = channels; c < stride; c++) norm[n * stride + c] = vec2(0.0);
}
