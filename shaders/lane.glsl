// What conv_lane and conv_texel share: a workgroup is one subgroup of 8, without shared memory or
// barriers, and makes OUT*8 output channels of 8*PIXELS consecutive pixels of one image. A lane holds
// PIXELS pixels, 8 apart; weights are loaded a channel a lane and handed round.
//
// Grid: x = tiles of 8*PIXELS pixels, y = tiles of OUT blocks, z = image.
#ifndef LANE_GLSL
#define LANE_GLSL

layout(constant_id = 6) const int OUT = 2;
layout(constant_id = 7) const int PIXELS = 4;

const bool PADDED = PH > 0 || PW > 0;

float acc[OUT * 8 * PIXELS]; // [channel][pixel]

int lane, image, plane, pixels, p0, b0; // of the tile: its first pixel plus lane, its first block
int iy[PIXELS], ix[PIXELS];             // where the kernel lies on x, for every pixel
int weights[OUT];                       // the index of every block's first weights, in blocks

void beginTile() {
  lane = int(gl_SubgroupInvocationID);
  image = int(gl_WorkGroupID.z);
  plane = height * width, pixels = outHeight * outWidth;
  p0 = int(gl_WorkGroupID.x) * 8 * PIXELS + lane, b0 = int(gl_WorkGroupID.y) * OUT;
  [[unroll]] for (int i = 0; i < OUT * 8 * PIXELS; i++) acc[i] = 0.0;
  [[unroll]] for (int j = 0; j < PIXELS; j++) {
    int p = min(p0 + j * 8, pixels - 1);
    iy[j] = p / outWidth * SH - PH;
    ix[j] = p % outWidth * SW - PW;
  }
  [[unroll]] for (int g = 0; g < OUT; g++) {
    int block = min(b0 + g, outBlocks - 1) * positions + image % positions;
    weights[g] = block * KH * KW * inBlocks * 8 + lane;
  }
}

// The block of x under tap (ky, kx) of pixel j, of the first channels; any one outside of the picture.
int blockAt(int j, int ky, int kx, out bool inside) {
  int py = iy[j] + ky, px = ix[j] + kx;
  inside = !PADDED || (uint(py) < uint(height) && uint(px) < uint(width));
  return image * inBlocks * plane + (inside ? py * width + px : 0);
}

void endTile() {
  [[unroll]] for (int g = 0; g < OUT; g++) {
    int block = b0 + g;
    if (block >= outBlocks) break;
    int yi = (image * planes + first + block) * pixels + p0;
    [[unroll]] for (int j = 0; j < PIXELS; j++) {
      if (p0 + j * 8 < pixels) {
        float v[8];
        [[unroll]] for (int i = 0; i < 8; i++) v[i] = acc[(g * 8 + i) * PIXELS + j];
        if (RESIDUAL != 0) {
          float r[8];
          unpack(residual[yi + j * 8], r);
          [[unroll]] for (int i = 0; i < 8; i++) v[i] += r[i];
        }
        y[yi + j * 8] = pack(v);
      }
    }
  }
}

#endif
