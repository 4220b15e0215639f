#version 450
#extension GL_KHR_shader_subgroup_ballot : require
// Each workgroup writes its number of subgroups, the subgroup size, and invocation 1's element of x.
layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LOCAL_SIZE = 8;

layout(binding = 0) readonly buffer X { uint x[]; };
layout(binding = 1) writeonly buffer Y { uint y[]; };

void main() {
    uint v = subgroupBroadcast(x[gl_GlobalInvocationID.x], 1);
    if (gl_LocalInvocationIndex == 0) {
        y[3 * gl_WorkGroupID.x] = gl_NumSubgroups;
        y[3 * gl_WorkGroupID.x + 1] = gl_SubgroupSize;
        y[3 * gl_WorkGroupID.x + 2] = v;
    }
}
