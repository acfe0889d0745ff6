"""The weight average follows the weights, the first of them most closely."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from graphsched.training.averaging import HEAD_START, weight_average


def network(value: float) -> nn.Linear:
    """One weight."""
    out = nn.Linear(1, 1, bias=False)
    nn.init.constant_(out.weight, value)
    return out


def follow(values: list[float], decay: float) -> float:
    """Average after a network had these weights, the first before any update."""
    net = network(values[0])
    average = weight_average(net, decay)
    for value in values[1:]:
        nn.init.constant_(net.weight, value)
        average.update_parameters(net)
    assert net.weight.item() == values[-1]
    return next(average.module.parameters()).item()


@given(
    st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=30),
    st.floats(0.0, 1.0, exclude_max=True),
)
def test_equals_its_definition(values: list[float], decay: float) -> None:
    """To the last digit: runs go on from averages of earlier versions."""
    expected = torch.tensor(values[0])
    for updates, value in enumerate(values[1:], start=1):
        step = 1.0 - min(decay, updates / (updates + HEAD_START))
        expected = torch.lerp(expected, torch.tensor(value), step)
    assert follow(values, decay) == expected.item()


def test_average_of_constant_weights_is_the_constant() -> None:
    """The initial weights are forgotten quickly."""
    assert follow([5.0] + [1.0] * 100, 0.9) == pytest.approx(1.0, abs=1e-3)


def test_first_updates_follow_closely() -> None:
    """After one update the new weights have 20 of 21 parts, whatever the final decay."""
    assert follow([0.0, 1.0], 0.99) == pytest.approx(20 / 21)


def test_no_decay_means_the_weights_themselves() -> None:
    """However they jump."""
    assert follow([0.125, 1e6, 0.375], 0.0) == 0.375
