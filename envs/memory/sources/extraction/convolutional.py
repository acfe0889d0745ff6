"""Convolutional networks in plain torch."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphsched.envs.memory.sources.extraction.shape import Shape


def unet(shape: Shape) -> tuple[Any, Any]:
    """Ronneberger et al. 2015, four levels, padded convolutions."""
    import torch
    from torch import nn

    def double(before: int, after: int) -> Any:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1),
            nn.ReLU(),
        )

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths = (64, 128, 256, 512, 1024)
            pairs = list(pairwise(widths))
            self.first = double(3, widths[0])
            self.down = nn.ModuleList(double(a, b) for a, b in pairs)
            self.rise = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, 2) for a, b in reversed(pairs))
            self.up = nn.ModuleList(double(b, a) for a, b in reversed(pairs))
            self.last = nn.Conv2d(widths[0], 2, 1)

        def forward(self, x: Any) -> Any:
            kept = [self.first(x)]
            for block in self.down:
                kept.append(block(torch.nn.functional.max_pool2d(kept[-1], 2)))
            x = kept.pop()
            for rise, block in zip(self.rise, self.up, strict=True):
                x = block(torch.cat([kept.pop(), rise(x)], dim=1))
            return self.last(x)

    return UNet(), (torch.zeros((shape.batch, 3, shape.image, shape.image)),)


def densenet121(shape: Shape) -> tuple[Any, Any]:
    """Huang et al. 2017: blocks of 6, 12, 24 and 16 layers, growth 32, half as wide in between."""
    import torch
    from torch import nn

    def unit(before: int, after: int, kernel: int) -> list[Any]:
        padding = kernel // 2
        product = nn.Conv2d(before, after, kernel, padding=padding, bias=False)
        return [nn.BatchNorm2d(before), nn.ReLU(), product]

    class Layer(nn.Module):
        def __init__(self, width: int, growth: int) -> None:
            super().__init__()
            self.body = nn.Sequential(*unit(width, 4 * growth, 1), *unit(4 * growth, growth, 3))

        def forward(self, kept: list[Any]) -> Any:
            return self.body(torch.cat(kept, dim=1))

    class Block(nn.Module):
        def __init__(self, layers: int, width: int, growth: int) -> None:
            super().__init__()
            self.layers = nn.ModuleList(Layer(width + k * growth, growth) for k in range(layers))

        def forward(self, x: Any) -> Any:
            kept = [x]
            for layer in self.layers:
                kept.append(layer(kept))
            return torch.cat(kept, dim=1)

    parts: list[Any] = [
        nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    ]
    width, growth, depths = 64, 32, (6, 12, 24, 16)
    for k, layers in enumerate(depths):
        parts.append(Block(layers, width, growth))
        width += layers * growth
        if k < len(depths) - 1:
            parts += [*unit(width, width // 2, 1), nn.AvgPool2d(2)]
            width //= 2
    parts += [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    module = nn.Sequential(*parts, nn.Linear(width, 1000))
    return module, (torch.zeros((shape.batch, 3, shape.image, shape.image)),)


def resnet(shape: Shape) -> tuple[Any, Any]:
    """ResNet-50 (He et al. 2015): bottlenecks of 3, 4, 6 and 3 blocks, strides in the 3x3 products."""
    import torch
    from torch import nn

    def unit(before: int, after: int, kernel: int, stride: int = 1) -> list[Any]:
        product = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
        return [product, nn.BatchNorm2d(after)]

    class Block(nn.Module):
        def __init__(self, before: int, width: int, stride: int) -> None:
            super().__init__()
            after = 4 * width
            parts = [*unit(before, width, 1), nn.ReLU(), *unit(width, width, 3, stride), nn.ReLU()]
            self.body = nn.Sequential(*parts, *unit(width, after, 1))
            same = before == after and stride == 1
            self.around = nn.Identity() if same else nn.Sequential(*unit(before, after, 1, stride))

        def forward(self, x: Any) -> Any:
            return torch.relu(self.body(x) + self.around(x))

    parts = [*unit(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    before = 64
    for k, blocks in enumerate((3, 4, 6, 3)):
        for i in range(blocks):
            parts.append(Block(before, 64 << k, 2 if k and not i else 1))
            before = 256 << k
    parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1000)]
    return nn.Sequential(*parts), (torch.zeros((shape.batch, 3, shape.image, shape.image)),)
