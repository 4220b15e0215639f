#version 450
#extension GL_EXT_shader_16bit_storage : require
// y[i] = 2 x[i], x in 16-bit storage.
layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 8;

layout(binding = 0) readonly buffer X { float16_t x[]; };
layout(binding = 1) writeonly buffer Y { float y[]; };

void main() { y[gl_GlobalInvocationID.x] = 2 * float(x[gl_GlobalInvocationID.x]); }
