"""The last stages of EfficientNet-Lite as they are trained: folded, and fast on a CPU."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

# Blocks of the sixth stage that stay as they are, beside all stages before it.
FROZEN_BLOCKS = 1


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution of stride 1 by weights that stay as they are.

    Its gradient is a convolution by the mirrored weights; what torch does instead takes two thirds
    of a training step on a CPU.
    """

    @staticmethod
    def forward(ctx, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        weight = weight.to(x.dtype)
        ctx.save_for_backward(weight)
        return functional.conv2d(x, weight, padding=weight.shape[-1] // 2, groups=len(weight))

    @staticmethod
    def backward(ctx, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (weight,) = ctx.saved_tensors
        back = weight.flip(2, 3)
        padding = weight.shape[-1] // 2
        return functional.conv2d(gradients[0], back, padding=padding, groups=len(weight)), None


@torch.no_grad()
def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of one convolution that does what `conv` and then `norm` do in eval mode."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = (conv.weight * scale[:, None, None, None]).clone()
    return weight, (norm.bias - norm.running_mean * scale).clone()


@torch.no_grad()
def unfold(conv: nn.Conv2d, norm: nn.BatchNorm2d, weight: torch.Tensor, bias: torch.Tensor) -> None:
    """Makes `conv` and `norm` do what `weight` and `bias` do."""
    conv.weight.copy_(weight)
    norm.bias.copy_(bias)
    norm.weight.fill_(1.0)
    norm.running_mean.zero_()
    norm.running_var.fill_(1.0 - norm.eps)


class Pointwise(nn.Module):
    """A 1 x 1 convolution with its normalisation folded in, trained."""

    def __init__(self, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        weight, bias = folded(conv, norm)
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, self.weight, self.bias)


class Block(nn.Module):
    """An inverted residual block; its depthwise convolution stays as it is."""

    def __init__(self, source: nn.Module) -> None:
        super().__init__()
        self.residual = source.has_skip
        self.expand = Pointwise(source.conv_pw, source.bn1)
        self.project = Pointwise(source.conv_pwl, source.bn3)
        weight, bias = folded(source.conv_dw, source.bn2)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = functional.relu6(self.expand(x))
        wide = _Depthwise.apply(wide, self.weight) + self.bias.to(wide.dtype)[:, None, None]
        narrow = self.project(functional.relu6(wide))
        return x + narrow if self.residual else narrow


def trained_blocks(trunk: nn.Module) -> list[nn.Module]:
    """The blocks of `trunk` between `Features.maps` and its last convolution."""
    return [*trunk.blocks[5][FROZEN_BLOCKS:], *trunk.blocks[6]]


class Stages(nn.Module):
    """From `Features.maps` (n, 192, 7, 7) to pooled features (n, 1280).

    All is trained but the depthwise convolutions.
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(source) for source in trained_blocks(trunk)))
        self.last = Pointwise(trunk.conv_head, trunk.bn2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu6(self.last(self.blocks(x))).mean((2, 3))

    def write_back(self, trunk: nn.Module) -> None:
        """Puts the trained weights into `trunk`."""
        for block, source in zip(self.blocks, trained_blocks(trunk), strict=True):
            unfold(source.conv_pw, source.bn1, block.expand.weight, block.expand.bias)
            unfold(source.conv_pwl, source.bn3, block.project.weight, block.project.bias)
        unfold(trunk.conv_head, trunk.bn2, self.last.weight, self.last.bias)


class Tail(nn.Module):
    """What is trained of the image tower.

    Maps (n, 192, 7, 7), or pooled features (n, 1280), to unit vectors.
    """

    def __init__(self, visual: nn.Module, head: nn.Module | None = None) -> None:
        super().__init__()
        self.stages, self.head = Stages(visual.trunk), head or visual.head

    @property
    def first(self) -> torch.Tensor:
        """The head's first weights, (units, 1280)."""
        return next(self.head.parameters())

    def pooled(self, x: torch.Tensor) -> torch.Tensor:
        """Pooled features (n, 1280), float32, of either."""
        if x.ndim == 2:
            return x
        with torch.autocast(x.device.type, torch.bfloat16):
            return self.stages(x).float()

    def vectors(self, pooled: torch.Tensor, scale: torch.Tensor | float = 1.0) -> torch.Tensor:
        """Unit vectors (n, d) of pooled features, which the head sees in units of `scale`."""
        return functional.normalize(self.head(pooled / scale).float(), dim=-1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.vectors(self.pooled(x))
