"""The ways in which PyTorch runs a network.

eager      as written: weights are standardized in every pass (timm's own way)
folded     eager, with the weights standardized once
frozen     folded, traced and frozen by TorchScript
optimized  frozen, with optimize_for_inference: oneDNN's layouts on CPU, cuDNN's fused operators on CUDA
compiled   folded, through torch.compile (PyTorch 2; on CPU it needs a C++ compiler and PyTorch's headers)
"""
import copy
import functools
import sys
import warnings

import torch

from network import fold

MODES = ("eager", "folded", "frozen", "optimized", "compiled")


@functools.lru_cache
def available(device):
    """The modes that work on a device of this machine."""
    if not hasattr(torch, "compile"):
        return MODES[:-1]
    try:
        torch.compile(lambda x: x.relu() + 1)(torch.ones(64, device=device))
    except Exception as err:  # no compiler, no headers, a Python that is too new: each has its own type
        reason = str(err).strip().splitlines() or [type(err).__name__]
        print(f"no mode compiled: {' '.join(reason[:2])}", file=sys.stderr)
        return MODES[:-1]
    return MODES


@torch.no_grad()
def prepare(network, mode, x, channels_last=False, compile_mode="default"):
    """Returns a function of pictures that have the shape, type and device of x.

    The network is one of float32 (float64 in tests); it stays as it is. Weights are standardized before they
    are rounded to the type of x, except in eager mode, which keeps them rounded."""
    if mode not in MODES:
        raise ValueError(f"mode {mode}: want one of {', '.join(MODES)}")
    if mode == "compiled" and not hasattr(torch, "compile"):
        raise ValueError(f"mode compiled: PyTorch {torch.__version__} has no torch.compile")
    layout = torch.channels_last if channels_last else torch.contiguous_format
    run = copy.deepcopy(network) if mode == "eager" else fold(network)
    run = run.eval().requires_grad_(False).to(device=x.device, dtype=x.dtype, memory_format=layout)
    if mode == "compiled":
        # Without the reset, shapes seen before would make it compile for shapes of all sizes, or not at all.
        torch._dynamo.reset()
        return torch.compile(run, mode=compile_mode, dynamic=False)
    if mode in ("frozen", "optimized"):
        # The fuser of PyTorch 2.6 never ends on CPU and channels_last. It would only join ReLUs and additions.
        torch._C._jit_set_texpr_fuser_enabled(not channels_last)
        # The trace is checked by check.py; tracing twice would only cost time.
        run = torch.jit.freeze(torch.jit.trace(run, x, check_trace=False))
    if mode == "optimized":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = torch.jit.optimize_for_inference(run)
    return run
