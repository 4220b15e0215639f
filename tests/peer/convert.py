"""Checks what bitgpu convert writes: PyTorch loads it into the network under timm's names, every tensor is the one that
PyTorch and NumPy read from the input, rounded as PyTorch rounds, and the network computes timm's logits.

    python3 tests/peer/convert.py [--bitgpu bin/bitgpu]
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch

import golden
import network

ROOT = pathlib.Path(__file__).resolve().parents[2]
NETS = ROOT / "tests" / "testdata" / "nets" / "tiny"
FORMS = ROOT / "tests" / "testdata" / "checkpoints"
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def by_timm_config(config):
    """The network of a config.json in timm's form."""
    args = config.get("model_args")
    if not args:
        return network.by_name(config["architecture"])[0]
    width = args.get("width_factor", 1)
    channels = [int(c * width) for c in args.get("channels", network.CHANNELS)]
    return network.BiT(args["layers"], channels, int(args.get("stem_chs", 64) * width), config["num_classes"])


def google(path):
    """The arrays of an .npz in PyTorch's order of dimensions, without names."""
    arrays = numpy.load(path)
    return [torch.from_numpy(numpy.ascontiguousarray(a.transpose(3, 2, 0, 1) if a.ndim == 4 else a)) for a in arrays.values()]


def fingerprint(tensors):
    return sorted((tuple(t.shape), t.contiguous().view(torch.int16 if t.element_size() == 2 else torch.int32).numpy().tobytes()) for t in tensors)


def check(bitgpu, source, dtype, want, extra=()):
    """want is a state dict under timm's names, or a list of tensors. Returns the number of mistakes."""
    with tempfile.TemporaryDirectory() as directory:
        command = [bitgpu, "convert", "--dtype", dtype, *extra, str(source), directory]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        config = json.loads(pathlib.Path(directory, "config.json").read_text())
        got = golden.read_safetensors(pathlib.Path(directory, "model.safetensors"))
    bit = by_timm_config(config)
    bit.load_state_dict({k: v.float() for k, v in got.items()})  # strict: neither missing nor unexpected
    wrong = [f"{k} is {v.dtype}" for k, v in got.items() if v.dtype != DTYPES[dtype]]
    if isinstance(want, list):
        if fingerprint(got.values()) != fingerprint(t.to(DTYPES[dtype]) for t in want):
            wrong.append("other tensors")
    else:
        wrong += [f"{k} differs" for k, v in want.items() if not torch.equal(got[k], v.to(DTYPES[dtype]).reshape(got[k].shape))]
    if dtype == "f32" and "model_args" in config:
        wrong += logits(bit)
    print(f"{'FAILED' if wrong else 'ok'} {source if extra else source.name} as {dtype}: {len(got)} tensors {'; '.join(wrong[:3])}")
    return len(wrong)


def logits(bit):
    """Of the golden inputs, in float64."""
    bit, wrong = bit.double().eval(), []
    for path in sorted(NETS.glob("io_*.safetensors")):
        io = golden.read_safetensors(path)
        with torch.no_grad():
            error = (bit(io["input"].double()) - io["logits.f64"]).abs().max() / io["logits.f64"].square().mean().sqrt()
        if not error < 1e-10:
            wrong.append(f"{path.name}: logits differ by {error:.2g}")
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bitgpu", default=str(ROOT / "bin" / "bitgpu"))
    bitgpu = parser.parse_args().bitgpu
    full, half = (golden.read_safetensors(NETS / f"{n}.safetensors") for n in ("model", "model_fp16"))
    wrong = 0
    for dtype in DTYPES:
        wrong += check(bitgpu, NETS / "model.safetensors", dtype, full)
        wrong += check(bitgpu, FORMS / "google.npz", dtype, google(FORMS / "google.npz"))
        wrong += check(bitgpu, FORMS / "google.npz", dtype, full)
    for name in "google_fortran_f16.npz", "zip_f16.pth", "transformers":
        wrong += check(bitgpu, FORMS / name, "f16", half)
    wrong += check(bitgpu, FORMS / "zip_f16.pth", "f16", torch.load(FORMS / "zip_f16.pth"))
    nested = torch.load(FORMS / "legacy_nested_bf16.pth")["model"]
    wrong += check(bitgpu, FORMS / "legacy_nested_bf16.pth", "bf16", {k[len("module."):]: v for k, v in nested.items()})

    name = "resnetv2_50x1_bit"
    bit = network.by_name(name)[0]
    golden.generate_weights(bit)
    for dtype in DTYPES:
        wrong += check(bitgpu, name, dtype, bit.state_dict(), ["--weights", "random:golden"])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
