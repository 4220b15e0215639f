"""Checks that the peer is the network that it should be: against timm's results in tests/testdata, in every mode,
in float64 (the logic: one wrong epsilon or border is 1e-4) and in float32.

    python3 tests/peer/check.py [--device cpu|cuda]
"""
import argparse
import json
import pathlib
import sys
import zlib

import torch

import golden
import modes
import network

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTDATA = ROOT / "tests" / "testdata"

# Largest error over the root mean square of timm's float64 output. In float32 the features, which are
# not pooled, have four times as much: timm's own are at 1.5e-5.
BOUNDS = {torch.float64: 1e-10, torch.float32: 1e-5}
UNPOOLED = 4


class Checker:
    def __init__(self, device):
        self.device, self.done, self.failed, self.worst = device, 0, 0, {}

    def that(self, ok, what):
        self.done += 1
        if not ok:
            self.failed += 1
            print(f"FAILED {what}")

    def close(self, what, name, got, want, dtype, scale=None):
        """Compares a tensor with float64; scale is the root mean square to judge by, of want if None."""
        got, bound = got.detach().cpu().double(), BOUNDS[dtype]
        if dtype == torch.float32 and not name.endswith("logits"):
            bound *= UNPOOLED
        if got.shape != want.shape:
            return self.that(False, f"{what} {name}: shape {list(got.shape)}, want {list(want.shape)}")
        error = float((got - want).abs().max() / (scale or rms(want)))
        self.worst[dtype] = max(self.worst.get(dtype, 0), error)
        self.that(error <= bound, f"{what} {name} {dtype}: max error / rms {error:.3g}, want at most {bound:.3g}")


def rms(x):
    return float(x.square().mean().sqrt())


def named(outputs):
    maps, features, pooled, logits = outputs
    all = {f"feat{i}": m for i, m in enumerate(maps)}
    return {**all, "forward_features": features, "pre_logits": pooled, "logits": logits}


def load(config, path):
    net = network.by_config(json.loads(config.read_text()))
    net.load_state_dict({k: v.float() for k, v in golden.read_safetensors(path).items()})
    return net.eval()


def small_nets(check):
    for folder in sorted((TESTDATA / "nets").iterdir()):
        net = load(folder / "config.json", folder / "model.safetensors")
        for file in sorted(folder.glob("io_*.safetensors")):
            want, what = golden.read_safetensors(file), f"{folder.name}/{file.stem}"
            for dtype in BOUNDS:
                x = want["input"].to(check.device, dtype)
                plain, folded = net.to(check.device, dtype), network.fold(net).to(check.device, dtype)
                for kind, n in (("", plain), (" folded", folded)):
                    compared = 0
                    for name, got in named(n.outputs(x)).items():
                        if name + ".f64" in want:
                            check.close(what + kind, name, got, want[name + ".f64"], dtype)
                            compared += 1
                    check.that(compared >= 3, f"{what}: only {compared} outputs compared")
            net.float()
    folder = TESTDATA / "nets" / "tiny"
    want = golden.read_safetensors(folder / "io_64x64.safetensors")
    for kind in ("fp16", "bf16"):
        net = load(folder / "config.json", folder / f"model_{kind}.safetensors").double().to(check.device)
        got = net(want["input"].double().to(check.device))
        check.close(f"model_{kind}", "logits", got, want[f"{kind}w.logits.f64"], torch.float64)


def every_mode(check):
    """What bench.py times gives the same logits."""
    folder = TESTDATA / "nets" / "tiny_x2"
    net = load(folder / "config.json", folder / "model.safetensors")
    want = golden.read_safetensors(folder / "io_64x64.safetensors")
    x = want["input"].to(check.device)
    for mode in modes.available(check.device):
        for channels_last in (False, True):
            run = modes.prepare(net, mode, x, channels_last)
            for _ in range(3):  # TorchScript specializes itself in the first passes
                got = run(x.contiguous(memory_format=torch.channels_last) if channels_last else x)
            check.close(f"mode {mode}, channels_last {channels_last}", "logits", got, want["logits.f64"], torch.float32)


def full_size(check, name, file):
    """A published network with generated weights: all names, shapes and values, and samples of the maps."""
    net, size = network.by_name(name)
    golden.generate_weights(net)
    parameters = dict(net.named_parameters())
    listed = (ROOT / "loader" / "testdata" / f"{file}_weights_crc32.txt").read_text().splitlines()
    check.that(len(listed) == len(parameters), f"{name}: {len(parameters)} parameters, want {len(listed)}")
    for line in listed:
        key, shape, crc = line.split("\t")[:3]
        p = parameters.get(key)
        ok = p is not None and list(p.shape) == json.loads(shape) and f"{zlib.crc32(p.detach().numpy().tobytes()):08x}" == crc
        check.that(ok, f"{name}: parameter {key}")
    x = golden.generated_input(size, size)
    about = json.loads((TESTDATA / "fullsize" / f"{file}.json").read_text())
    check.that(f"{zlib.crc32(x.numpy().tobytes()):08x}" == about["input"]["crc32"], f"{name}: input")
    want = golden.read_safetensors(TESTDATA / "fullsize" / f"{file}.safetensors")
    got = named(net.eval().to(check.device).outputs(x.to(check.device)))
    for key, tensor in got.items():
        if key + ".f64" in want:
            check.close(name, key, tensor, want[key + ".f64"], torch.float32)
            continue
        samples = want[key + ".samples.f64"]
        check.close(name, key, tensor.flatten()[want[key + ".sample_idx"].to(check.device)], samples, torch.float32)
        for kind, dims in (("channel_mean", (0, 2, 3)), ("spatial_mean", (0, 1))):
            mean = tensor.double().mean(dims)
            check.close(name, f"{key} {kind}", mean, want[f"{key}.{kind}.f64"], torch.float32, scale=rms(samples))


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    check = Checker(parser.parse_args().device)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    small_nets(check)
    every_mode(check)
    demo, _ = network.by_name("demo")
    demo.load_state_dict(golden.read_safetensors(ROOT / "loader" / "demo" / "model.safetensors"))
    full_size(check, "resnetv2_50x1_bit.goog_distilled_in1k", "50x1_224")
    full_size(check, "resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k_384", "152x2_384")
    worst = ", ".join(f"{str(d)[6:]} {e:.2g}" for d, e in check.worst.items())
    print(f"PyTorch {torch.__version__} on {check.device}, modes {', '.join(modes.available(check.device))}: "
          f"{check.done} checks, {check.failed} failed; largest error / rms: {worst}")
    return check.failed > 0


if __name__ == "__main__":
    sys.exit(main())
