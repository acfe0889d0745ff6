"""Training steps from PyTorch modules: every operator by hand, states, tied weights, experts."""

from __future__ import annotations

import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.hardware.machine import MIB, PRESETS

pytest.importorskip("torch")
import torch

from graphsched.envs.memory.sources.extraction.graph import program_of
from graphsched.envs.memory.sources.extraction.models import build
from graphsched.envs.memory.sources.extraction.shape import Shape
from graphsched.envs.memory.sources.extraction.training import training_program

MACHINE = PRESETS["tpuv4i"].with_capacity(8 * MIB)


def step(module, *shape, optimizer="sgd", dtype=None):
    with torch.device("meta"):
        return training_program(
            module(), (torch.zeros(shape, dtype=dtype),), "p", MACHINE, optimizer=optimizer
        )


def named(program, name):
    return [i for i in program.instructions if i.name == name]


def kinds(program, kind):
    return sorted(b.name for b in program.buffers if b.kind == kind)


class Two(torch.nn.Module):
    """Two products of 5 rows: 8 to 6 to 4 wide."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(8, 6, bias=False)
        self.last = torch.nn.Linear(6, 4, bias=False)

    def forward(self, x):
        return self.last(torch.relu(self.first(x)))


def test_products_by_hand():
    program = step(Two, 5, 8)
    first, last = 2 * 5 * 8 * 6, 2 * 5 * 6 * 4
    # Forward; gradients of both weights and of what lies between: none of the input.
    assert sorted(i.flops for i in named(program, "mm")) == sorted([first, last, last, last, first])
    (relu,), (back,) = named(program, "relu"), named(program, "threshold_backward")
    assert relu.flops == back.flops == 30
    updates = named(program, "sgd")
    assert [u.flops for u in updates] == [2 * 48, 2 * 24]
    assert program.instructions[-2:] == tuple(updates)
    assert kinds(program, "state") == ["body.first.weight", "body.last.weight"]
    assert [b.size for b in program.buffers if b.kind == "input"] == [80]
    assert [b.size for b in program.buffers if b.kind == "output"] == [2]  # the loss


def test_an_update_reads_its_gradient_and_writes_the_parameter():
    program = step(Two, 5, 8, optimizer="adam")
    first = named(program, "adam")[0]
    assert [size for _, size in first.reads] == [96] * 4  # gradient, weight, two averages
    assert [program.buffers[b].name for b, _ in first.writes] == [
        "body.first.weight",
        "body.first.weight.moment1",
        "body.first.weight.moment2",
    ]
    gradient = int(program.storage[first.reads[0][0]])
    made = [
        i for i in program.instructions if gradient in program.storage[[b for b, _ in i.writes]]
    ]
    assert [i.name for i in made] == ["mm"]
    assert len(kinds(program, "state")) == 6


def test_without_an_optimizer_gradients_are_outputs():
    program = step(Two, 5, 8, optimizer="none")
    assert kinds(program, "parameter") == ["body.first.weight", "body.last.weight"]
    assert sorted(b.size for b in program.buffers if b.kind == "output") == [2, 48, 96]
    with pytest.raises(InputError, match="optimizer 'magic': not one of none, sgd, adam"):
        step(Two, 5, 8, optimizer="magic")


def test_tied_weights_are_one_parameter():
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(50, 8)
            self.head = torch.nn.Linear(8, 50, bias=False)
            self.head.weight = self.table.weight

        def forward(self, tokens):
            return self.head(self.table(tokens))

    program = step(Tied, 5, dtype=torch.long)
    assert kinds(program, "state") == ["body.table.weight"]
    (update,) = named(program, "sgd")
    assert update.flops == 2 * 50 * 8
    (add,) = [i for i in named(program, "add") if i.flops == 400]  # of its two gradients
    assert add.writes[0][1] == 800


def test_batch_statistics_and_in_place_operators():
    class Norm(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(3)

        def forward(self, x):
            y = self.norm(x)
            y += 1
            return y

    program = step(Norm, 2, 3, 4, 4)
    (norm,) = named(program, "native_batch_norm")
    written = {program.buffers[b].name for b, _ in norm.writes}
    assert {"body.norm.running_mean", "body.norm.running_var"} <= written
    assert {"body.norm.running_mean", "body.norm.num_batches_tracked"} < set(
        kinds(program, "state")
    )
    (add,) = [i for i in named(program, "add_") if i.flops == 96]
    assert program.storage[add.reads[0][0]] == program.storage[add.writes[0][0]]
    result = norm.writes[0][0]
    assert program.storage[add.writes[0][0]] == program.storage[result]


def test_dropout_fills_its_mask_without_reading_it():
    program = step(lambda: torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout()), 5, 8)
    (fill,) = named(program, "bernoulli_")
    assert fill.reads == ()
    assert [size for _, size in fill.writes] == [80]
    assert named(program, "empty_like") == []


def test_experts_count_the_rows_that_they_are_given():
    class Experts(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(4, 16, 32, dtype=torch.bfloat16))

        def forward(self, x, ends):
            return torch.nn.functional.grouped_mm(x, self.weight, offs=ends)

    with torch.device("meta"):
        arguments = (torch.zeros(24, 16, dtype=torch.bfloat16), torch.zeros(4, dtype=torch.int32))
        program = program_of(Experts(), arguments, "experts", MACHINE)
    assert program.flops.sum() == 2 * 24 * 16 * 32  # each row meets one of the four matrices


def test_a_program_can_be_mapped(tmp_path):
    out = tmp_path / "unet.json.gz"
    words = ["unet", "--image", "64", "--mode", "train", "--fast-mib", "4", "--out", str(out)]
    assert DOMAIN.commands["extract"](words) == 0
    program = DOMAIN.readers["auto"](out)
    assert program.name == "unet-training"
    assert DOMAIN.check(program, DOMAIN.baseline("best-of-orders")(program)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "bert", "resnet50", "mixtral"])
def test_a_step_takes_three_times_the_operations_of_a_pass(name):
    pytest.importorskip("transformers")
    module, arguments = build(name, Shape())
    forward = program_of(module, arguments, name, MACHINE).flops.sum()
    training = training_program(module.train(), arguments, name, MACHINE).flops.sum()
    assert training == pytest.approx(3 * forward, rel=0.05)


@pytest.mark.slow
def test_mixtral_counts_two_experts_a_token():
    pytest.importorskip("transformers")
    module, arguments = build("mixtral", Shape())
    tokens, width, inside = 128, 512, 1792
    attention = 2 * tokens * (2 * width * width + 2 * width * 128) + 4 * tokens**2 * width
    experts = 2 * tokens * (8 * width + 2 * 3 * width * inside)  # the router; two of eight
    expected = 4 * (attention + experts) + 2 * tokens * width * 32000
    program = program_of(module, arguments, "mixtral", MACHINE)
    assert program.flops.sum() == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_densenet_matches_the_published_count():
    module, arguments = build("densenet121", Shape())
    program = program_of(module, arguments, "densenet121", MACHINE)
    assert sum(p.numel() for p in module.parameters()) == 7_978_856  # of the paper's model
    assert program.flops.sum() == pytest.approx(2 * 2.87e9, rel=0.05)
