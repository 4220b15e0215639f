#version 450
// The most multiply-adds a second that a device can do: chains of fma that stay in registers.
//
//   v_i = seed + i;  ROUNDS * STEPS times: v_i = fma(v_i, a, b);  y = sum of all v_i
//
// for the i below CHAINS, seed being the invocation's number modulo 256. The chains do not depend on
// each other, so that their latencies overlap; a and b come from the host, so that nothing is computed
// ahead; the sum is stored, so that nothing is left out. With |a| < 1 the values stay finite.
//
//   binding 0  y: float [invocations]
// One invocation does 2 * CHAINS * STEPS * ROUNDS floating-point operations besides the sum.
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int STEPS = 32; // without a branch
layout(constant_id = 2) const int ROUNDS = 1;
layout(std430, binding = 0) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { float a, b; };

// With a, b and a temporary they fit into the 16 vector registers of x86, where the latencies of a
// multiplication and an addition are six cycles, and two of each start in every one.
const int CHAINS = 12;

void main() {
  float v[CHAINS];
  [[unroll]] for (int i = 0; i < CHAINS; i++) v[i] = float((gl_GlobalInvocationID.x & 255u) + i);
  for (int r = 0; r < ROUNDS; r++) {
    [[unroll]] for (int s = 0; s < STEPS; s++) {
      [[unroll]] for (int i = 0; i < CHAINS; i++) v[i] = fma(v[i], a, b);
    }
  }
  float sum = 0.0;
  [[unroll]] for (int i = 0; i < CHAINS; i++) sum += v[i];
  y[gl_GlobalInvocationID.x] = sum;
}
