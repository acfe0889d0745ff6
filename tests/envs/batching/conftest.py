"""Replicas whose times can be worked out in the head."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from graphsched.envs.batching import bounds, features
from graphsched.envs.batching.physics import loading

# ms: a decode's launch and row, each KV token read, a prefill's launch and row, each product
COEFFICIENTS = 1e-3 * np.array([1.0, 0.2, 0.001, 2.8, 0.05, 1e-5])


class Cards(NamedTuple):
    """Profiles of two GPUs.

    Linear operators of t tokens (a multiple of 8) take 10 + 0.05 t ms on the slow one and
    1.04 + 0.005 t ms on the fast one. So a usual prompt of 512 tokens takes 35.6 + 2.8 + 25.6 =
    64 ms and 3.6 + 2.8 + 25.6 = 32 ms: speeds are 8000 and 16,000 tokens a second.
    """

    slow: str
    fast: str


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """Both, with round numbers for attention."""
    for module in (bounds, loading, features):
        monkeypatch.setattr(module, "coefficients", lambda *_: COEFFICIENTS)
    found = []
    for name, least, most in (("slow", 10.4, 419.6), ("fast", 1.08, 42.0)):
        path = tmp_path / f"{name}.csv"
        path.write_text(f"tokens,linear_ms\n8,{least}\n8192,{most}\n")
        found.append(str(path))
    return Cards(*found)
