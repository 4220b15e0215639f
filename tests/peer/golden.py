"""Reads safetensors files, and makes the generated weights and pictures of loader/random.go."""
import json

import numpy as np
import torch

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}


def read_safetensors(path):
    """All tensors of a file by name: eight bytes of header length, a JSON header, the values (little-endian)."""
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, info in header.items():
        begin, end = info["data_offsets"]
        values = torch.frombuffer(bytearray(data[start + begin : start + end]), dtype=DTYPES[info["dtype"]])
        tensors[name] = values.reshape(info["shape"])
    return tensors


def noise(name, count):
    """Values in [-1, 1) that are a function of a name and an index: splitmix64 from the FNV-1a hash of the name."""
    key = 0xCBF29CE484222325
    for byte in name.encode():
        key = (key ^ byte) * 0x100000001B3 % 2**64
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    z = z ^ z >> np.uint64(31)
    return ((z >> np.uint64(44)).astype(np.int64) - 2**19).astype(np.float32) * np.float32(2.0**-19)


def base_and_scale(name):
    if name == "head.fc.weight":
        return 0, 1 / 4
    if name == "head.fc.bias":
        return 0, 1 / 2
    weight = name.endswith(".weight")
    if weight and "conv" in name:
        return 0, 1 / 16
    if "norm3." in name:
        return (1 / 8 if weight else 0), 1 / 16
    return (1 / 2 if weight else 0), 1 / 4


def generate_weights(network):
    """Sets all parameters to their generated values, exact in float32."""
    for name, parameter in network.named_parameters():
        base, scale = base_and_scale(name)
        values = noise(name, parameter.numel()) * np.float32(scale) + np.float32(base)
        parameter.data.copy_(torch.from_numpy(values).reshape(parameter.shape))


def generated_input(height, width):
    """The picture that goes with the weights, [1, 3, height, width]: noise by value and noise by 32x32 block."""
    rows, columns = -(-height // 32), -(-width // 32)
    blocks = noise("input.block", 3 * rows * columns).reshape(3, rows, columns)
    blocks = blocks.repeat(32, axis=1).repeat(32, axis=2)[:, :height, :width]
    return torch.from_numpy((noise("input", 3 * height * width).reshape(3, height, width) + blocks) / 2)[None]
