"""Models by name: configurations of `transformers`, without weights from anywhere, and plain ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.extras import require
from graphsched.envs.memory.sources.extraction.convolutional import densenet121, resnet, unet
from graphsched.envs.memory.sources.extraction.transformer import encoder, gpt, moe

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.memory.sources.extraction.shape import Shape


def _transformers() -> Any:
    require("extract memory", "transformers")
    import transformers

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
    "mixtral": _text(
        "MixtralForCausalLM",
        "MixtralConfig",
        num_hidden_layers=4,
        hidden_size=512,
        intermediate_size=1792,
        num_attention_heads=8,
        num_key_value_heads=2,
        experts_implementation="grouped_mm",  # rows sorted by expert: each meets its experts only
    ),
    "vit": _vision("ViTModel", "ViTConfig"),
    "resnet50": _vision("ResNetForImageClassification", "ResNetConfig"),
    "densenet121": densenet121,
    "unet": unet,
    "resnet": resnet,
    "gpt": gpt,
    "encoder": encoder,
    "moe": moe,
}


def build(name: str, shape: Shape) -> tuple[Any, Any]:
    """Module and example inputs, weights on the meta device; raises InputError for the name."""
    import torch

    if name not in MODELS:
        raise InputError(f"model {name!r}", f"not one of {', '.join(MODELS)}")
    with torch.device("meta"):
        module, arguments = MODELS[name](shape)
    return module.eval(), arguments
