"""Programs from PyTorch modules: operators, bytes, aliases, kinds, by hand and in closed form."""

from __future__ import annotations

import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.hardware.machine import MIB, PRESETS
from graphsched.envs.memory.readers import read_json

pytest.importorskip("torch")
import torch

from graphsched.envs.memory.sources.extraction.graph import program_of
from graphsched.envs.memory.sources.extraction.models import MODELS, build
from graphsched.envs.memory.sources.extraction.shape import Shape

MACHINE = PRESETS["tpuv4i"]


class Small(torch.nn.Module):
    """Lookup, matrix product, a view of it, an elementwise operator."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(1000, 8)
        self.linear = torch.nn.Linear(8, 6, bias=False)

    def forward(self, tokens):
        x = self.linear(self.table(tokens))
        return torch.relu(x.reshape(2, 6))


@pytest.fixture(scope="module")
def small():
    with torch.device("meta"):
        module, tokens = Small(), torch.zeros(2, dtype=torch.long)
    return program_of(module, (tokens,), "small", MACHINE)


def test_flops_and_bytes_by_hand(small):
    names = [i.name for i in small.instructions]
    assert names == ["embedding", "mm", "relu"]
    assert small.flops.tolist() == [16.0, 2 * 2 * 8 * 6, 12.0]
    lookup = small.instructions[0]
    kinds = {small.buffers[b].kind: size for b, size in lookup.reads}
    assert kinds == {"parameter": 32, "input": 16}  # two rows of 16 bytes; two 8-byte tokens
    assert lookup.writes[0][1] == 32
    table = next(b for b in small.buffers if b.size == 1000 * 8 * 2)
    assert table.kind == "parameter"


def test_views_share_a_storage(small):
    relu = small.instructions[2]
    (source, size), (target, _) = relu.reads[0], relu.writes[0]
    assert size == 24
    assert small.storage[source] == small.storage[small.instructions[1].writes[0][0]]
    assert small.buffers[target].kind == "output"
    assert small.storage[source] != small.storage[target]


def test_broadcast_bytes_count_once():
    class Broadcast(torch.nn.Module):
        def forward(self, x):
            return x.expand(10, 4) + 1.0

    program = program_of(Broadcast(), (torch.zeros(1, 4),), "b", MACHINE)
    (add,) = program.instructions
    assert [size for _, size in add.reads] == [8]
    assert [size for _, size in add.writes] == [80]


def test_the_unet_needs_nothing_but_torch(tmp_path, capsys):
    out = tmp_path / "unet.json.gz"
    extract = DOMAIN.commands["extract"]
    assert extract(["unet", "--image", "64", "--fast-mib", "4", "--out", str(out)]) == 0
    assert "GFLOP" in capsys.readouterr().out
    program = read_json(out)
    assert program.machine.fast_capacity == 4 * MIB
    solution = DOMAIN.baseline("best-of-orders")(program)
    assert DOMAIN.check(program, solution) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gpt9"], "model 'gpt9': not one of"),
        (["unet", "--mode", "backward"], "extract memory: argument --mode"),
        (["unet", "--image", "16", "--mode", "train", "--optimizer", "x"], "optimizer 'x'"),
        (["unet", "--batch", "0"], "--batch: expected 1 to"),
        (["unet", "--batch", "x"], "extract memory: argument --batch"),
        (["unet", "--machine", "abacus"], "machine: 'abacus'"),
        (["unet", "--fast-mib", "-1"], "--fast-mib: expected >= 0"),
        ([], "extract memory: the following arguments are required"),
    ],
)
def test_bad_words_are_named(words, message):
    with pytest.raises(InputError, match=message):
        DOMAIN.commands["extract"](words)


def transformer(layers, width, tokens, vocabulary=0):
    """Operations of a transformer with four-fold width inside: products and attention."""
    weights = layers * 12 * width**2 + vocabulary * width
    return 2 * tokens * weights + layers * 4 * tokens**2 * width


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt2", transformer(12, 768, 128, 50257)),
        ("bert", transformer(12, 768, 128)),
        ("resnet50", 2 * 4.09e9),
    ],
)
def test_operations_match_the_closed_form(name, expected):
    pytest.importorskip("transformers")
    module, arguments = build(name, Shape())
    assert program_of(module, arguments, name, MACHINE).flops.sum() == pytest.approx(
        expected, rel=0.05
    )


def test_shipped_programs_match_the_closed_form():
    assert set(MODELS) >= {name.rpartition("-")[0] for name in DOMAIN.library.sets["real-16"]}
    found = {n: DOMAIN.library.load(f"{n}-16mib").flops.sum() for n in ("gpt2", "bert", "resnet50")}
    assert found["gpt2"] == pytest.approx(transformer(12, 768, 128, 50257), rel=0.05)
    assert found["bert"] == pytest.approx(transformer(12, 768, 128), rel=0.05)
    assert found["resnet50"] == pytest.approx(2 * 4.09e9, rel=0.05)
