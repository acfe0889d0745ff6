"""GPUs and models by name: the constants of the cost model, with their sources."""

from __future__ import annotations

from dataclasses import dataclass

from graphsched.envs.core.errors import InputError

BLOCK = 16  # tokens of a KV block


@dataclass(frozen=True)
class Gpu:
    """A GPU. The efficiencies are those that the attention kernels reach.

    Attributes:
        name: in instances.
        flops: dense half-precision peak, FLOP/s.
        bandwidth: of its memory, B/s.
        memory_bytes: its size.
        link_bandwidth: all-reduce bandwidth between GPUs of a node, B/s.
        link_latency_s: of an all-reduce.
        pcie_bandwidth: to the host, B/s, for swapping.
    """

    name: str
    flops: float
    bandwidth: float
    memory_bytes: float
    link_bandwidth: float
    link_latency_s: float
    pcie_bandwidth: float


@dataclass(frozen=True)
class Model:
    """A decoder-only transformer in half precision.

    Attributes:
        name: in instances.
        layers, hidden, heads, kv_heads, feed_forward, vocabulary: its shape.
        experts, active_experts: of a mixture; 1 and 1 if dense.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    feed_forward: int
    vocabulary: int
    experts: int = 1
    active_experts: int = 1

    @property
    def kv_bytes_per_token(self) -> float:
        """Keys and values of a token in all layers, B."""
        return 2.0 * 2.0 * self.layers * self.hidden * self.kv_heads / self.heads

    @property
    def attention_parameters(self) -> float:
        """Weights of the projections of a layer."""
        return self.hidden * self.hidden * (2.0 + 2.0 * self.kv_heads / self.heads)

    @property
    def expert_parameters(self) -> float:
        """Weights of a layer's gated feed-forward network, of one expert if there are several."""
        return 3.0 * self.hidden * self.feed_forward

    @property
    def parameters(self) -> float:
        """All weights."""
        layer = self.attention_parameters + self.experts * self.expert_parameters
        return self.layers * layer + 2.0 * self.vocabulary * self.hidden


# Peaks and bandwidths: NVIDIA's data sheets of the A100-SXM-80GB and H100-SXM. All-reduce: latency
# and bandwidth of eight GPUs, as fitted to Vidur's published measurements (microsoft/vidur, MIT).
GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu("a100", 312e12, 2.039e12, 80e9, 87e9, 39e-6, 25e9),
        Gpu("h100", 989e12, 3.35e12, 80e9, 194e9, 28.6e-6, 50e9),
    )
}
# Shapes: the models' published configurations.
MODELS = {
    model.name: model
    for model in (
        Model("llama-2-7b", 32, 4096, 32, 32, 11008, 32000),
        Model("llama-2-70b", 80, 8192, 64, 8, 28672, 32000),
        Model("llama-3-8b", 32, 4096, 32, 8, 14336, 128256),
        Model("mistral-7b", 32, 4096, 32, 8, 14336, 32000),
        Model("mixtral-8x7b", 32, 4096, 32, 8, 14336, 32000, 8, 2),
    )
}


def gpu_named(name: str) -> Gpu:
    """The GPU; raises InputError for an unknown one."""
    if name not in GPUS:
        raise InputError(f"GPU {name!r:.40}", f"not one of {', '.join(sorted(GPUS))}")
    return GPUS[name]


def model_named(name: str) -> Model:
    """The model; raises InputError for an unknown one."""
    if name not in MODELS:
        raise InputError(f"model {name!r:.40}", f"not one of {', '.join(sorted(MODELS))}")
    return MODELS[name]
