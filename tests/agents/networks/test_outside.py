"""Blocks with a column outside of a decoder's limits are counted, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.agents.networks.decoder import Decoder
from graphsched.agents.networks.outside import Tally, Watch
from graphsched.agents.networks.packing import limited_parts
from graphsched.agents.networks.samples import random_observation, random_store
from tests.agents.networks.test_kernel import SCHEMAS, pair


@pytest.mark.parametrize("name", SCHEMAS)
@given(seed=st.integers(0, 2**31), loose=st.floats(0.5, 6.0))
@settings(max_examples=30)
def test_as_many_as_a_plain_count(name: str, seed: int, loose: float) -> None:
    schema, rng = SCHEMAS[name], np.random.default_rng(seed)
    decoder, _ = pair(schema, seed)
    params = {k: loose * v.numpy() for k, v in decoder.state_dict().items()}
    obs = random_observation(schema, random_store(schema, rng), rng, blocks=7)
    expected = 0
    for i in range(7):
        outside = False
        for part in limited_parts(schema):
            ptr = np.arange(8) if part == "context" else obs[f"{part}_ptr"]  # type: ignore[literal-required]
            rows = obs[part][ptr[i] : ptr[i + 1]]  # type: ignore[literal-required]
            least, most = params[f"{part}_limits"]
            outside |= bool(((rows < least) | (rows > most)).any())
        expected += outside
    assert Watch(schema, params).count(obs) == expected


def test_a_decoder_without_limits_meets_nothing_outside() -> None:
    schema, rng = SCHEMAS["full"], np.random.default_rng(0)
    params = {k: v.numpy() for k, v in Decoder(schema, 6, 8).state_dict().items()}
    obs = random_observation(schema, random_store(schema, rng), rng)
    obs["candidate"] = obs["candidate"] * np.float32(1e9)
    assert Watch(schema, params).count(obs) == 0


def test_a_tally_is_told_from_an_earlier_one() -> None:
    assert Tally(10, 3) - Tally(6, 2) == Tally(4, 1)
    assert (Tally(10, 3) - Tally(6, 2)).share == 0.25
    assert Tally().share is None
