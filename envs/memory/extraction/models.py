"""Models by name: configurations of `transformers`, without weights from anywhere; and a U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Shape:
    """Sizes of the example inputs."""

    batch: int = 1
    sequence: int = 128  # tokens
    image: int = 224  # pixels each way


def _transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise InputError(
            "extract memory", "this model needs transformers: pip install graphsched[models]"
        ) from None
    return transformers


def _text(model: str, config: str, **settings: Any) -> Callable[[Shape], tuple[Any, Any]]:
    """A language model and tokens."""

    def make(shape: Shape) -> tuple[Any, Any]:
        import torch

        library = _transformers()
        found = getattr(library, config)(use_cache=False, **settings)
        module = getattr(library, model)(found)
        tokens = torch.zeros((shape.batch, shape.sequence), dtype=torch.long)
        return module, (tokens,)

    return make


def _vision(model: str, config: str) -> Callable[[Shape], tuple[Any, Any]]:
    """An image model and pictures."""

    def make(shape: Shape) -> tuple[Any, Any]:
        import torch

        library = _transformers()
        module = getattr(library, model)(getattr(library, config)())
        return module, (torch.zeros((shape.batch, 3, shape.image, shape.image)),)

    return make


def _t5(shape: Shape) -> tuple[Any, Any]:
    """T5 small: encoder and decoder see as many tokens each."""
    import torch

    library = _transformers()
    config = library.T5Config(use_cache=False, num_layers=6, d_model=512, d_ff=2048, num_heads=8)
    module = library.T5ForConditionalGeneration(config)
    tokens = torch.zeros((shape.batch, shape.sequence), dtype=torch.long)
    return module, (tokens, torch.ones_like(tokens), tokens)


def _unet(shape: Shape) -> tuple[Any, Any]:
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


MODELS: dict[str, Callable[[Shape], tuple[Any, Any]]] = {
    "gpt2": _text("GPT2LMHeadModel", "GPT2Config"),
    "bert": _text("BertModel", "BertConfig"),
    "t5-small": _t5,
    "llama": _text(
        "LlamaForCausalLM",
        "LlamaConfig",
        num_hidden_layers=8,
        hidden_size=1024,
        intermediate_size=2816,
        num_attention_heads=16,
    ),
    "vit": _vision("ViTModel", "ViTConfig"),
    "resnet50": _vision("ResNetForImageClassification", "ResNetConfig"),
    "unet": _unet,
}


def build(name: str, shape: Shape) -> tuple[Any, Any]:
    """Module and example inputs, weights on the meta device; raises InputError for the name."""
    import torch

    if name not in MODELS:
        raise InputError(f"model {name!r}", f"not one of {', '.join(MODELS)}")
    with torch.device("meta"):
        module, arguments = MODELS[name](shape)
    return module.eval(), arguments
