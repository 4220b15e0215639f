#version 450
// x[i] = x[i] * mul + add, modulo 2^32, in place. One invocation for each element.
layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64;

layout(binding = 0) buffer X { uint x[]; };
layout(push_constant) uniform Push {
    uint n, mul, add;
};

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < n) x[i] = x[i] * mul + add;
}
