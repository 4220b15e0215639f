#version 450

// quad.vert: rectangles, one an instance, as a strip of four vertices. What is known of a rectangle is in a storage
// buffer (present.Quad has the same layout); positions are pixels from the top left corner.

struct Quad {
  vec4 rect;    // x, y, width, height
  vec4 uv;      // of the image at the top left and bottom right corner
  vec4 shape;   // radius of the corners, softness of the edge, kind, nothing
  uint from;    // colour at the left edge, RGBA in bytes, not premultiplied
  uint to;      // and at the right edge
  uint spare0;
  uint spare1;
};

layout(std430, set = 0, binding = 0) readonly buffer Quads { Quad quads[]; };
layout(push_constant) uniform View { vec2 size; };  // of the window, in pixels

layout(location = 0) out vec2 position;  // in pixels from the rectangle's centre
layout(location = 1) out vec2 uv;
layout(location = 2) out vec4 color;
layout(location = 3) flat out vec4 shape;
layout(location = 4) flat out vec2 halfSize;

void main() {
  Quad q = quads[gl_InstanceIndex];
  vec2 corner = vec2(gl_VertexIndex & 1, gl_VertexIndex >> 1);
  float grow = q.shape.y;  // a soft edge reaches beyond the rectangle
  halfSize = q.rect.zw * 0.5;
  position = (corner * 2.0 - 1.0) * (halfSize + grow);
  uv = mix(q.uv.xy, q.uv.zw, corner);
  color = mix(unpackUnorm4x8(q.from), unpackUnorm4x8(q.to), corner.x);
  shape = q.shape;
  gl_Position = vec4((q.rect.xy + halfSize + position) / size * 2.0 - 1.0, 0.0, 1.0);
}
