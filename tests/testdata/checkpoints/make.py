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
    """The inverse of _load_weights in timm/models/resnetv2.py."""
    *module, last = name.split(".")
    last = {"weight": "gamma", "bias": "beta"}[last]
    if module == ["stem", "conv"]:
        return "resnet/root_block/standardized_conv2d/kernel"
    if module == ["head", "fc"]:
        return "resnet/head/conv2d/" + {"gamma": "kernel", "beta": "bias"}[last]
    if module == ["norm"]:
        return "resnet/group_norm/" + last
    _, stage, _, block, layer, *_ = module
    unit = f"resnet/block{int(stage) + 1}/unit{int(block) + 1:02d}/"
    if layer == "downsample":
        return unit + "a/proj/standardized_conv2d/kernel"
    kind = "standardized_conv2d/kernel" if layer.startswith("conv") else "group_norm/" + last
    return unit + "abc"[int(layer[-1]) - 1] + "/" + kind


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
    config = {  # of BitConfig and BitImageProcessor
        "architectures": ["BitForImageClassification"], "depths": [2, 1, 2, 1], "drop_path_rate": 0.0, "embedding_dynamic_padding": False,
        "embedding_size": 64, "global_padding": None, "hidden_act": "relu", "hidden_sizes": [128, 128, 256, 256],
        "id2label": {str(i): f"thing {i}" for i in range(10)}, "layer_type": "preactivation", "model_type": "bit", "num_channels": 3,
        "num_groups": 32, "output_stride": 32, "torch_dtype": "float16", "width_factor": 1,
    }
    processor = {
        "crop_size": {"height": 64, "width": 64}, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True, "do_rescale": True,
        "do_resize": True, "image_mean": [0.5, 0.25, 0.125], "image_processor_type": "BitImageProcessor", "image_std": [0.5, 0.5, 0.25],
        "resample": 2, "rescale_factor": 1 / 255, "size": {"shortest_edge": 73},
    }
    for name, value in ("config", config), ("preprocessor_config", processor):
        with open(path(f"transformers/{name}.json"), "w") as f:
            json.dump(value, f, indent=1)
            f.write("\n")

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
