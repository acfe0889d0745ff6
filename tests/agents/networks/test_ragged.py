"""Operations over ragged blocks equal torch_geometric's, and gradients with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch_geometric.utils import scatter, softmax

from graphsched.agents.networks import ragged

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

pytestmark = pytest.mark.differential
BLOCKS = 40


@pytest.fixture(params=range(3))
def block(request: pytest.FixtureRequest) -> Tensor:
    """(300,) blocks of rows, ascending; some blocks are empty."""
    torch.manual_seed(request.param)
    owners = torch.randint(0, BLOCKS, (300,)).sort().values
    return torch.where(owners % 7 == 3, owners - 1, owners)


def with_gradient(operation: Callable[[Tensor], Tensor], values: Tensor) -> tuple[Tensor, Tensor]:
    """Result of an operation, and the gradient of the sum of its squares."""
    given = values.clone().requires_grad_()
    out = operation(given)
    out.square().sum().backward()
    assert given.grad is not None
    return out.detach(), given.grad


def test_sums(block: Tensor) -> None:
    """To the last digit."""
    values = torch.randn(300, 8)
    got = with_gradient(lambda x: ragged.block_sum(x, block, BLOCKS), values)
    expected = with_gradient(lambda x: scatter(x, block, 0, BLOCKS, "sum"), values)
    assert all(map(torch.equal, got, expected))


def test_means(block: Tensor) -> None:
    """0 where a block is empty."""
    values = torch.randn(300, 8)
    counts = torch.bincount(block, minlength=BLOCKS)
    ptr = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    got = with_gradient(lambda x: ragged.block_mean(x, block, ptr), values)
    expected = with_gradient(lambda x: scatter(x, block, 0, BLOCKS, "mean"), values)
    assert all(map(torch.equal, got, expected))
    assert (counts == 0).any()


def test_maxima(block: Tensor) -> None:
    """To the last digit, for values that are not negative."""
    values = torch.randn(300, 8)
    got = with_gradient(lambda x: ragged.block_max(x.relu(), block, BLOCKS), values)
    expected = with_gradient(lambda x: scatter(x.relu(), block, 0, BLOCKS, "max"), values)
    assert all(map(torch.equal, got, expected))


def test_log_probabilities(block: Tensor) -> None:
    """As far as the softmax itself can tell, which is less for improbable rows."""
    logits = 3.0 * torch.randn(300, dtype=torch.float64)
    got = with_gradient(lambda x: ragged.log_softmax(x, block, BLOCKS), logits)
    expected = with_gradient(lambda x: softmax(x, block, num_nodes=BLOCKS).log(), logits)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_log_probabilities_of_large_logits(block: Tensor) -> None:
    """Nothing overflows, and the probabilities of a block add up to 1."""
    logits = 1e4 * torch.randn(300)
    log_probs = ragged.log_softmax(logits, block, BLOCKS)
    assert torch.isfinite(log_probs).all()
    total = ragged.block_sum(log_probs.exp(), block, BLOCKS)[block]
    torch.testing.assert_close(total, torch.ones(300))
