"""The BiT networks (pre-activation ResNet-V2 with group normalization and weight standardization) in
plain PyTorch: the peer that bitgpu is measured against.

Written as one writes it in PyTorch, with the operations that timm's resnetv2_*_bit uses, so that its speed
is that of PyTorch and not of this file. Parameters have timm's names. Tensors are [N, C, H, W].
The networks are those of net/variants.go; check.py holds them against the golden data.
"""
import copy

import torch
from torch import nn
from torch.nn import functional as F

GROUPS = 32
NORM_EPS = 1e-5
WEIGHT_EPS = 1e-8

DEPTHS = {"50": (3, 4, 6, 3), "101": (3, 4, 23, 3), "152": (3, 8, 36, 3)}
CHANNELS = (256, 512, 1024, 2048)


class StdConv2d(nn.Conv2d):
    """A convolution that standardizes each of its filters, in every forward pass, before it uses them."""

    def standardized(self):
        flat = self.weight.reshape(1, self.out_channels, -1)
        flat = F.batch_norm(flat, None, None, training=True, momentum=0.0, eps=WEIGHT_EPS)
        return flat.reshape_as(self.weight)

    def forward(self, x):
        return F.conv2d(x, self.standardized(), None, self.stride, self.padding)

    def folded(self):
        """An ordinary convolution with the standardized weights, as inference needs it."""
        conv = nn.Conv2d(self.in_channels, self.out_channels, self.kernel_size, self.stride, self.padding, bias=False)
        conv.weight = nn.Parameter(self.standardized().detach())
        return conv


def conv(inputs, outputs, kernel, stride=1):
    return StdConv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


class NormReLU(nn.GroupNorm):
    def __init__(self, channels):
        super().__init__(GROUPS, channels, NORM_EPS)

    def forward(self, x):
        return F.relu(super().forward(x), inplace=True)


class Bottleneck(nn.Module):
    """The first block of a stage has a shortcut convolution; it reads the normalized input."""

    def __init__(self, inputs, outputs, stride, first):
        super().__init__()
        mid = outputs // 4
        if first:
            self.downsample = nn.Module()
            self.downsample.conv = conv(inputs, outputs, 1, stride)
        self.first = first
        self.norm1 = NormReLU(inputs)
        self.conv1 = conv(inputs, mid, 1)
        self.norm2 = NormReLU(mid)
        self.conv2 = conv(mid, mid, 3, stride)
        self.norm3 = NormReLU(mid)
        self.conv3 = conv(mid, outputs, 1)

    def forward(self, x):
        y = self.norm1(x)
        shortcut = self.downsample.conv(y) if self.first else x
        y = self.conv1(y)
        y = self.conv2(self.norm2(y))
        y = self.conv3(self.norm3(y))
        return y + shortcut


class BiT(nn.Module):
    """layers: blocks of each stage; channels: outputs of each stage; stem: outputs of the first convolution."""

    def __init__(self, layers, channels, stem, classes):
        super().__init__()
        self.stem = nn.Module()
        self.stem.conv = conv(3, stem, 7, 2)
        self.stages = nn.ModuleList()
        width = stem
        for i, (depth, outputs) in enumerate(zip(layers, channels)):
            stage = nn.Module()
            stage.blocks = nn.Sequential()
            for j in range(depth):
                stride = 2 if i > 0 and j == 0 else 1
                stage.blocks.append(Bottleneck(width, outputs, stride, first=j == 0))
                width = outputs
            self.stages.append(stage)
        self.norm = NormReLU(width)
        self.head = nn.Module()
        self.head.fc = nn.Conv2d(width, classes, 1)

    def outputs(self, x):
        """Everything the golden data knows: the feature maps, the features before and after pooling, the logits."""
        x = self.stem.conv(x)
        maps = [x]
        x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)  # the border of zeros takes part in the maximum
        for stage in self.stages:
            x = stage.blocks(x)
            maps.append(x)
        features = self.norm(x)
        pooled = features.mean((2, 3), keepdim=True)
        return maps, features, pooled.flatten(1), self.head.fc(pooled).flatten(1)

    def forward(self, x):
        return self.outputs(x)[-1]


def by_config(config):
    """The network of a golden config.json."""
    return BiT(config["layers"], config["effective_channels"], config["effective_stem"], config["num_classes"])


def by_name(name):
    """The network of a timm name, resnetv2_{depth}x{width}_bit with or without a tag, or of "demo" (loader/demo),
    with PyTorch's initial weights. Returns it and the size of its pictures."""
    if name == "demo":
        return BiT((1, 1, 1, 1), [c // 2 for c in CHANNELS], 32, 10), 64
    arch, _, tag = name.partition(".")
    family, _, rest = arch.partition("_")
    shape, _, kind = rest.partition("_")
    depth, _, width = shape.partition("x")
    if family != "resnetv2" or kind != "bit" or depth not in DEPTHS or width not in ("1", "2", "3", "4"):
        raise ValueError(f"{name}: no BiT network")
    width = int(width)
    network = BiT(DEPTHS[depth], [c * width for c in CHANNELS], 64 * width, 21843 if tag == "goog_in21k" else 1000)
    return network, picture_size(depth, width, tag)


def picture_size(depth, width, tag):
    """Without a tag the first checkpoint of the architecture is meant, as in timm."""
    if tag == "goog_in21k_ft_in1k" or (not tag and (depth, width) not in (("152", 2), ("50", 1))):
        return 480 if width == 4 else 448
    if tag == "goog_teacher_in21k_ft_in1k_384" or (not tag and depth == "152"):
        return 384
    return 224


def fold(network):
    """A copy whose weights are standardized once."""
    network = copy.deepcopy(network)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, StdConv2d):
                setattr(module, name, child.folded())
    return network


def flop(network, size):
    """Operations for one picture: two for every multiply-add of the convolutions and the classifier."""
    total = 0

    def count(module, _, output):
        nonlocal total
        total += 2 * output.numel() * module.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d)]
    weight = next(network.parameters())
    network(torch.zeros(1, 3, size, size, dtype=weight.dtype, device=weight.device))
    for hook in hooks:
        hook.remove()
    return total
