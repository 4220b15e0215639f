#version 450
// y[i] = x[i] * mul + add, modulo 2^32. One invocation for each element.
layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 64;
layout(constant_id = 1) const uint EXTRA = 0;

layout(binding = 0) readonly buffer X { uint x[]; };
layout(binding = 1) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push {
    uint n, mul, add;
};

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < n) y[i] = x[i] * mul + add + EXTRA;
}
