"""The weight average follows the weights and comes and goes without a trace."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from graphsched.training.averaging import WeightAverage


def network(value: float) -> nn.Linear:
    """One weight."""
    out = nn.Linear(1, 1, bias=False)
    nn.init.constant_(out.weight, value)
    return out


def test_average_of_constant_weights_is_the_constant() -> None:
    """The initial weights are forgotten quickly."""
    net = network(5.0)
    average = WeightAverage(net, decay=0.9)
    nn.init.constant_(net.weight, 1.0)
    for _ in range(100):
        average.update(net)
    assert average.weights["weight"].item() == pytest.approx(1.0, abs=1e-3)


def test_first_updates_follow_closely() -> None:
    """After one update the new weights have 20 of 21 parts, whatever the final decay."""
    net = network(0.0)
    average = WeightAverage(net, decay=0.99)
    nn.init.constant_(net.weight, 1.0)
    average.update(net)
    assert average.weights["weight"].item() == pytest.approx(20 / 21)


def test_applied_only_inside_the_block() -> None:
    """The network's own weights come back bit by bit, even after an error."""
    net = network(0.1)
    average = WeightAverage(net, decay=0.9)
    nn.init.constant_(net.weight, 0.3)
    own = net.weight.detach().clone()
    inside = []

    def look_and_fail() -> None:
        with average.applied(net):
            inside.append(net.weight.item())
            raise KeyError

    with pytest.raises(KeyError):
        look_and_fail()
    assert inside == pytest.approx([0.1])
    assert torch.equal(net.weight, own)


def test_no_decay_means_the_weights_themselves() -> None:
    """Nothing is put in their place."""
    net = network(0.1)
    average = WeightAverage(net, decay=0.0)
    nn.init.constant_(net.weight, 0.3)
    with average.applied(net):
        assert net.weight.item() == pytest.approx(0.3)
