"""Writes the checkpoints that tests open: one golden network in PyTorch's and NumPy's forms, and small files of single
tensors. Made once with Debian 12's python3-torch (1.13) and python3-numpy:

    python3 tests/testdata/checkpoints/make.py
"""
import collections
import json
import os
import struct

import numpy
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
NET = os.path.join(HERE, "..", "nets", "tiny")
SMALL = os.path.join(HERE, "..", "..", "..", "loader", "testdata", "torch")
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def read_safetensors(path):
    data = open(path, "rb").read()
    size, = struct.unpack("<Q", data[:8])
    tensors = collections.OrderedDict()
    for name, t in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = (8 + size + n for n in t["data_offsets"])
            flat = torch.frombuffer(bytearray(data[begin:end]), dtype=DTYPES[t["dtype"]])
            tensors[name] = flat.reshape(t["shape"]).clone()
    return tensors


def transformers_name(name):
    """Of convert_bit_to_pytorch.py."""
    name = name.replace("stem.conv", "bit.embedder.convolution").replace("blocks", "layers").replace("head.fc", "classifier.1")
    if name.startswith("norm"):
        name = "bit." + name
    return name if name.startswith(("bit.", "classifier.")) else "bit.encoder." + name


def google_name(name):
    name = name.replace("stem.conv.weight", "root_block/standardized_conv2d/kernel").replace("head.fc.weight", "head/conv2d/kernel")
    name = name.replace("head.fc.bias", "head/conv2d/bias")
    if name.startswith("norm."):
        name = name.replace("norm.", "group_norm.")
    if name.startswith("stages."):
        _, stage, _, block, layer, *rest = name.split(".")
        part = "a" if layer == "downsample" else "abc"[int(layer[-1]) - 1]
        kind = {"d": "proj/standardized_conv2d", "c": "standardized_conv2d", "n": "group_norm"}[layer[0]]
        last = rest[-1] if layer[0] == "n" else "kernel"
        name = f"block{int(stage) + 1}/unit{int(block) + 1:02d}/{part}/{kind}/{last}"
    return "resnet/" + name.replace("group_norm.", "group_norm/").replace("/weight", "/gamma").replace("/bias", "/beta").replace("conv2d/beta", "conv2d/bias").replace("group_norm/weight", "group_norm/gamma")


def network():
    half = read_safetensors(os.path.join(NET, "model_fp16.safetensors"))
    brain = read_safetensors(os.path.join(NET, "model_bf16.safetensors"))
    full = read_safetensors(os.path.join(NET, "model.safetensors"))
    path = lambda name: os.path.join(HERE, name)

    torch.save(half, path("zip_f16.pth"))
    torch.save({"epoch": 3, "model": {"module." + k: v for k, v in brain.items()}, "optimizer": {"lr": 0.1, "state": {0: torch.zeros(3, dtype=torch.float64)}}},
               path("legacy_nested_bf16.pth"), _use_new_zipfile_serialization=False)
    os.makedirs(path("transformers"), exist_ok=True)
    torch.save({transformers_name(k): v.squeeze() if "head" in k else v for k, v in half.items()}, path("transformers/pytorch_model.bin"))

    hwio = lambda v: v.permute(2, 3, 1, 0).contiguous().numpy() if v.dim() == 4 else v.numpy()
    numpy.savez(path("google.npz"), **{google_name(k): hwio(v) for k, v in full.items()})
    numpy.savez_compressed(path("google_fortran_f16.npz"), **{google_name(k): numpy.asfortranarray(hwio(v)) for k, v in half.items()})


class Plain:
    pass


def small():
    os.makedirs(SMALL, exist_ok=True)
    path = lambda name: os.path.join(SMALL, name)
    flat = torch.arange(120)
    tensors = collections.OrderedDict()
    for dtype in ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool"):
        tensors[dtype] = (flat % 7).to(getattr(torch, dtype))[:6].reshape(2, 3).clone()
    base = flat.to(torch.float32)
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(0, 3)
    tensors["parameter"] = torch.nn.Parameter(base[:4].clone())
    tensors["shared"], tensors["offset"] = base, base[100:]
    tensors["transposed"] = base.reshape(10, 12).t()
    tensors["channels_last"] = base.reshape(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    tensors["hwio"] = base.reshape(2, 3, 4, 5).permute(3, 2, 0, 1)
    tensors["columns"] = base.reshape(10, 12)[:, 3:9]
    torch.save(tensors, path("tensors.pth"))
    torch.save(tensors, path("tensors_legacy.pth"), _use_new_zipfile_serialization=False)
    torch.save(tensors, path("tensors_protocol4.pth"), pickle_protocol=4)
    torch.save({"expanded": torch.zeros(1).expand(1000)}, path("expanded.pth"))
    torch.save({"sparse": base.reshape(10, 12)[::3, ::5].permute(1, 0)}, path("gaps.pth"))
    torch.save({"state_dict": {}, "args": Plain()}, path("object.pth"))
    torch.save(base, path("one_tensor.pth"))
    torch.jit.save(torch.jit.script(torch.nn.Conv2d(1, 1, 1)), path("script.pth"))


if __name__ == "__main__":
    network()
    small()
