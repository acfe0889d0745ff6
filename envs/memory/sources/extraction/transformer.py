"""Transformers in plain torch, so that their programs can be made again without another library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from graphsched.envs.memory.sources.extraction.shape import Shape


class Logits(NamedTuple):
    """What a language model gives: scores of each token, (batch, tokens, vocabulary)."""

    logits: Any


def _attention(width: int, heads: int, causal: bool) -> Any:
    """Products, mask, softmax, product: what a compiler sees where it has no fused attention."""
    import torch
    from torch import nn

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inwards = nn.Linear(width, 3 * width)
            self.outwards = nn.Linear(width, width)

        def forward(self, x: Any) -> Any:
            batch, tokens, _ = x.shape
            parts = self.inwards(x).view(batch, tokens, 3, heads, width // heads)
            query, key, value = parts.permute(2, 0, 3, 1, 4)
            scores = query @ key.transpose(-1, -2) * (width // heads) ** -0.5
            if causal:
                scores = scores + scores.new_full((tokens, tokens), -1e9).triu(1)
            mixed = torch.softmax(scores, -1) @ value
            return self.outwards(mixed.transpose(1, 2).reshape(batch, tokens, width))

    return Attention()


def _dense(width: int) -> Any:
    """The two products of a layer, four times as wide in between."""
    from torch import nn

    return nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))


def _experts(width: int, inside: int, experts: int, chosen: int) -> Any:
    """A gated layer for each expert; each token goes to the chosen ones, sorted by expert."""
    import torch
    from torch import nn

    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.router = nn.Linear(width, experts, bias=False)
            self.rise = nn.Parameter(torch.zeros(experts, width, 2 * inside))
            self.fall = nn.Parameter(torch.zeros(experts, inside, width))

        def forward(self, x: Any) -> Any:
            rows = x.reshape(-1, width)
            weight, expert = torch.topk(torch.softmax(self.router(rows), -1), chosen)
            order = torch.argsort(expert.flatten())
            ends = nn.functional.one_hot(expert.flatten(), experts).sum(0).cumsum(0).int()
            given = rows[order // chosen]
            gate, up = nn.functional.grouped_mm(given, self.rise, offs=ends).chunk(2, -1)
            made = nn.functional.grouped_mm(nn.functional.silu(gate) * up, self.fall, offs=ends)
            made = made * weight.flatten()[order, None]
            return torch.zeros_like(rows).index_add(0, order // chosen, made).view_as(x)

    return Experts()


def _layer(width: int, mix: Any, think: Any, first: bool) -> Any:
    """Attention and what follows it, each with a path around; norms come first or last."""
    from torch import nn

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.think = mix, think
            self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

        def forward(self, x: Any) -> Any:
            if first:
                x = x + self.mix(self.norms[0](x))
                return x + self.think(self.norms[1](x))
            x = self.norms[0](x + self.mix(x))
            return self.norms[1](x + self.think(x))

    return Layer()


def _language(layers: list[Any], width: int, vocabulary: int, shape: Shape) -> tuple[Any, Any]:
    """Embeddings, layers, a norm, and scores by the embedding of each word."""
    import torch
    from torch import nn

    class Language(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(vocabulary, width)
            self.places = nn.Parameter(torch.zeros(shape.sequence, width))
            self.layers = nn.Sequential(*layers)
            self.norm = nn.LayerNorm(width)

        def forward(self, tokens: Any) -> Logits:
            x = self.norm(self.layers(self.words(tokens) + self.places))
            return Logits(x @ self.words.weight.t())

    return Language(), (torch.zeros((shape.batch, shape.sequence), dtype=torch.long),)


def gpt(shape: Shape) -> tuple[Any, Any]:
    """The sizes of GPT-2 small (Radford et al. 2019): 12 layers of 768, 12 heads, 50,257 words."""
    width = 768
    layers = [_layer(width, _attention(width, 12, True), _dense(width), True) for _ in range(12)]
    return _language(layers, width, 50257, shape)


def encoder(shape: Shape) -> tuple[Any, Any]:
    """The sizes of BERT base (Devlin et al. 2018): 12 layers of 768, 12 heads, 30,522 words."""
    width = 768
    layers = [_layer(width, _attention(width, 12, False), _dense(width), False) for _ in range(12)]
    return _language(layers, width, 30522, shape)


def moe(shape: Shape) -> tuple[Any, Any]:
    """A small Mixtral (Jiang et al. 2024): 4 layers of 512, 8 experts of 1,792, two for each token."""
    import torch

    width = 512
    layers = [
        _layer(width, _attention(width, 8, True), _experts(width, 1792, 8, 2), True)
        for _ in range(4)
    ]
    module, arguments = _language(layers, width, 32000, shape)
    return module.to(torch.bfloat16), arguments  # products of grouped rows take no other
