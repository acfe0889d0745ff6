"""Whatever stands in a solution's file, it is read and checked, or refused by one line."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given

from graphsched.envs.core.parts.reading import parse_json, read_object
from graphsched.envs.core.registry import domain_names, get_domain
from tests.fuzz.judging import fuzz, judged, rngs
from tests.fuzz.spoiling import spoiled

if TYPE_CHECKING:
    import random


@cache
def solved(name: str) -> tuple[Any, bytes]:
    """A domain's toy instance, and a solution of it as a file."""
    domain = get_domain(name)
    instance = domain.generators["toy"](np.random.default_rng(0), "")
    rule = next(key for key, baseline in domain.baselines.items() if baseline.is_rule)
    return instance, json.dumps(domain.baseline(rule)(instance).to_json()).encode()


@pytest.mark.parametrize("name", domain_names())
@fuzz(few=100)
@given(rng=rngs)
def test_spoiled_solutions_are_read_or_refused(name: str, rng: random.Random) -> None:
    domain = get_domain(name)
    instance, good = solved(name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "solution.json"
        path.write_bytes(spoiled(good, rng))
        found = judged(
            lambda: read_object(path, lambda text: domain.solution_from_json(instance, text)),
            str(path),
        )
    if found is None:
        return
    document = found.to_json()
    text = json.dumps(document, allow_nan=False)
    again = domain.solution_from_json(instance, parse_json(text, "again"))
    assert again.to_json() == document
    for violation in judged(lambda: domain.check(instance, found), "") or []:
        assert len(violation.message.splitlines()) == 1
