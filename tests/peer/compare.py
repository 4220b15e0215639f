"""Runs bitgpu and the peer in turn, several rounds, on the same networks, and prints medians and ratios.

The environment chooses:

    PEER_MODELS    NAME[@SIZE]..., default "resnetv2_50x1_bit@224 resnetv2_152x2_bit@384"
    PEER_BATCHES   N,N..., default 1
    PEER_DEVICE    cpu (bitgpu runs on a CPU driver, PyTorch in fp32), or cuda (bitgpu on the GPU, PyTorch in fp16)
    PEER_ROUNDS    bitgpu, peer, bitgpu, peer... default 3 times each
    PEER_RUNS      batches a round, default 5
    PEER_MODES     of bench.py, default all that work: eager,folded,frozen,optimized,compiled
    PEER_ARGS      more arguments for bench.py, as "--compile-mode max-autotune-no-cudagraphs"
    BITGPU_ARGS    more arguments for bitgpu bench, as "--device 1 --precision fp32"
    BITGPU         the command, default bin/bitgpu

Every round is a process of its own: neither has the other's threads or memory beside it. On a machine that
does other work the least time says more than the median; both are printed.
"""
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = pathlib.Path(__file__).with_name("bench.py")


def setting(name, default):
    return os.environ.get(name) or default


def rows(command):
    """Runs a command and returns the JSON objects that it prints. Rows of bitgpu that failed end the comparison."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    errors = [row["error"] for row in found if "error" in row]
    if done.returncode or errors:
        sys.exit(f"{shlex.join(map(str, command))}: exit status {done.returncode} {'; '.join(errors)}".strip())
    return found


def bitgpu(model, size, batches, runs, device):
    command = [setting("BITGPU", str(ROOT / "bin" / "bitgpu")), "bench", "--json", "--model", model]
    command += ["--batch", batches, "--runs", runs]
    command += ["--weights", "random:golden"] if model != "demo" else []
    command += ["--size", size] if size else []
    command += ["--device", "cpu"] if device == "cpu" else []
    return rows(command + shlex.split(setting("BITGPU_ARGS", "")))


def peer(model, size, batches, runs, device):
    command = [sys.executable, str(BENCH), "--json", "--model", model, "--batch", batches, "--runs", runs]
    command += ["--device", device]
    command += ["--modes", setting("PEER_MODES", "")] if setting("PEER_MODES", "") else []
    command += ["--size", size] if size else []
    return rows(command + shlex.split(setting("PEER_ARGS", "")))


class Results:
    """Rows by batch and by who ran, over the rounds."""

    def __init__(self):
        self.rows = {}

    def add(self, who, row):
        self.rows.setdefault(row["batch"], {}).setdefault(who, []).append(row)

    def print(self, model):
        for batch, by_who in self.rows.items():
            ours = by_who["bitgpu"]
            ours_median, ours_least = median(ours), least(ours)
            some = ours[0]
            print(f"\n{model}, {some['size']} pixels, batch {batch}, {some['gflop_per_image']:.1f} GFLOP an image")
            print(f"{'':<22}{'':<6}{'median ms':>10}{'least ms':>10}{'img/s':>9}{'GFLOP/s':>9}{'time over bitgpu':>26}")
            for who, several in by_who.items():
                m, best = median(several), least(several)
                ratio = "" if who == "bitgpu" else f"{m / ours_median:.2f} (least {best / ours_least:.2f})"
                print(f"{who:<22}{several[0]['precision']:<6}{m:>10.1f}{best:>10.1f}{1000 / m:>9.2f}"
                      f"{some['gflop_per_image'] / m * 1000:>9.0f}{ratio:>26}")


def median(rows):
    """Milliseconds for an image: the median of the rounds' medians."""
    return statistics.median(row["ms_per_image"] for row in rows)


def least(rows):
    return min(row["min_ms_per_image"] for row in rows)


def same_work(a, b):
    """Both must have run the same network on pictures of the same size."""
    if a["size"] != b["size"] or abs(a["gflop_per_image"] / b["gflop_per_image"] - 1) > 1e-3:
        sys.exit(f"not the same work: bitgpu {a['size']} pixels, {a['gflop_per_image']:.3f} GFLOP, "
                 f"peer {b['size']} pixels, {b['gflop_per_image']:.3f} GFLOP")


def progress(label, rows):
    """Says on standard error what a round gave: a long comparison that is interrupted was not for nothing."""
    for row in rows:
        text = f"{label}: {row.get('mode', 'bitgpu')}, batch {row['batch']}, {row['ms_per_image']:.1f} ms"
        print(text, file=sys.stderr, flush=True)
    return rows


def compare(spec, batches, runs, rounds, device):
    model, _, size = spec.partition("@")
    results = Results()
    for i in range(rounds):
        label = f"{spec}, round {i + 1} of {rounds}"
        ours = progress(label, bitgpu(model, size, batches, runs, device))
        theirs = progress(label, peer(model, size, batches, runs, device))
        same_work(ours[0], theirs[0])
        if i == 0:
            print(f"\nbitgpu on {ours[0]['device']}, {ours[0]['driver']}; {theirs[0]['driver']} on {theirs[0]['device']}")
        for row in ours:
            results.add("bitgpu", row)
        for row in theirs:
            results.add("PyTorch " + row["mode"], row)
    results.print(model)


def main():
    device = setting("PEER_DEVICE", "cpu")
    if device not in ("cpu", "cuda"):
        sys.exit(f"PEER_DEVICE={device}: want cpu or cuda")
    runs, rounds = setting("PEER_RUNS", "5"), int(setting("PEER_ROUNDS", "3"))
    for spec in setting("PEER_MODELS", "resnetv2_50x1_bit@224 resnetv2_152x2_bit@384").split():
        compare(spec, setting("PEER_BATCHES", "1"), runs, rounds, device)


if __name__ == "__main__":
    main()
