"""Times the peer: one JSON object, or one line, for each mode and batch.

    python3 tests/peer/bench.py --model resnetv2_50x1_bit --batch 1,8 --modes eager,frozen --json

The time of a run is from pictures that are on the device, normalized, to logits on the device; bitgpu's
includes the way of the pixels there, and of the logits back. On CPU it runs float32 with as many threads as
the process has processors; on CUDA float16 (no autocast) and channels_last. Weights are PyTorch's initial ones: speed
does not depend on them.
"""
import argparse
import json
import os
import statistics
import sys
import time

import torch

import modes
import network

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnetv2_50x1_bit", help="timm name, with or without its tag, or demo")
    parser.add_argument("--size", type=int, help="height and width of the pictures, in place of the model's")
    parser.add_argument("--batch", default="1", help="one or more sizes of a batch, N,N...")
    parser.add_argument("--modes", help="of " + ",".join(modes.MODES) + "; default all that work here")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", choices=DTYPES, help="default fp32 on cpu, fp16 on cuda")
    parser.add_argument("--channels-last", action=argparse.BooleanOptionalAction, help="default on cuda only")
    parser.add_argument("--compile-mode", default="default", help="mode of torch.compile, as max-autotune-no-cudagraphs")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="on cpu")
    parser.add_argument("--runs", type=int, default=5, help="batches that are measured")
    parser.add_argument("--warmup", type=int, default=2, help="batches before those (TorchScript needs two)")
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    options = parser.parse_args()
    options.modes = options.modes.split(",") if options.modes else modes.available(options.device)
    cuda = options.device == "cuda"
    if options.precision is None:
        options.precision = "fp16" if cuda else "fp32"
    if options.channels_last is None:
        options.channels_last = cuda
    return options


def device_name(device):
    if device == "cuda":
        return torch.cuda.get_device_name()
    with open("/proc/cpuinfo") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "cpu")


def pictures(options, size, batch):
    x = torch.rand(batch, 3, size, size) * 2 - 1
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    return x.to(device=options.device, dtype=DTYPES[options.precision], memory_format=layout)


def measure(run, x, options):
    """Seconds of each run, and processor seconds of them all."""
    synchronize = torch.cuda.synchronize if options.device == "cuda" else lambda: None
    times = []
    for _ in range(options.warmup):
        run(x)
    before = time.process_time()
    for _ in range(options.runs):
        synchronize()
        start = time.perf_counter()
        run(x)
        synchronize()
        times.append(time.perf_counter() - start)
    return times, time.process_time() - before


def row(options, net, mode, size, batch):
    x = pictures(options, size, batch)
    start = time.perf_counter()
    run = modes.prepare(net, mode, x, options.channels_last, options.compile_mode)
    loaded = time.perf_counter() - start
    with torch.inference_mode():
        times, cpu = measure(run, x, options)
    median = statistics.median(times)
    ms = 1000 / batch
    gflop = options.flop / 1e9
    return {
        "model": options.model, "size": size, "batch": batch, "mode": mode, "precision": options.precision,
        "device": device_name(options.device), "driver": f"PyTorch {torch.__version__}", "runs": options.runs,
        "ms_per_image": median * ms, "min_ms_per_image": min(times) * ms, "max_ms_per_image": max(times) * ms,
        "images_per_second": batch / median, "gflops": gflop * batch / median, "gflop_per_image": gflop,
        "cpu_seconds_per_image": cpu / options.runs / batch, "load_seconds": loaded, "channels_last": options.channels_last,
        **({"threads": torch.get_num_threads()} if options.device == "cpu" else {}),
        **({"compile_mode": options.compile_mode} if mode == "compiled" else {}),
    }


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    net, size = network.by_name(options.model)
    net, size = net.eval().requires_grad_(False), options.size or size
    options.flop = network.flop(net, size)
    for mode in options.modes:
        for batch in options.batch.split(","):
            r = row(options, net, mode, size, int(batch))
            if options.json:
                print(json.dumps(r), flush=True)
            else:
                print(f"{r['model']} {size} batch {batch} {mode} {r['precision']}: {r['ms_per_image']:.1f} ms "
                      f"({r['min_ms_per_image']:.1f} to {r['max_ms_per_image']:.1f}), {r['images_per_second']:.1f} img/s, "
                      f"{r['gflops']:.0f} GFLOP/s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
