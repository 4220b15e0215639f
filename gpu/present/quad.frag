#version 450

// quad.frag: a rectangle with round corners, filled with a colour (kind 0), an image times a colour (1), or a colour
// where an image's red channel says so (2, text). Coverage is the distance to the rounded edge, cut off within a pixel,
// or within twice the softness.

layout(set = 1, binding = 0) uniform sampler2D image;

layout(location = 0) in vec2 position;
layout(location = 1) in vec2 uv;
layout(location = 2) in vec4 color;
layout(location = 3) flat in vec4 shape;
layout(location = 4) flat in vec2 halfSize;

layout(location = 0) out vec4 result;

void main() {
  result = color;
  if (shape.z > 1.5) {
    result.a *= texture(image, uv).r;
    return;
  }
  if (shape.z > 0.5) result *= texture(image, uv);
  vec2 beyond = abs(position) - halfSize + shape.x;
  float distance = length(max(beyond, 0.0)) + min(max(beyond.x, beyond.y), 0.0) - shape.x;
  float soft = max(shape.y, 0.5);
  result.a *= 1.0 - smoothstep(-soft, soft, distance);
}
