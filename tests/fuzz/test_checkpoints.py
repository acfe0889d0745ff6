"""Whatever stands in the files of a training checkpoint, it is read or refused by one line."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from hypothesis import given

from graphsched.envs.core.registry import get_domain
from graphsched.training.running.encoding import STATE, TENSORS, pack, to_files
from graphsched.training.running.resume import CHECKPOINT, KINDS, read_checkpoint
from tests.fuzz.judging import fuzz, judged, rngs
from tests.fuzz.spoiling import spoiled_json, spoiled_text

if TYPE_CHECKING:
    import random


@cache
def good() -> dict[str, bytes]:
    """A small state with every field that is looked at."""
    toy = get_domain("jobshop").generators["toy"](np.random.default_rng(0), "")
    state: dict[str, Any] = {"schema": 1, "domain": "jobshop", "core_s": 1.5, "discount": None}
    values: dict[Any, Any] = {dict: {"w": torch.ones(3), "at": (1, 2)}, list: [], int: 7}
    state |= {name: values.get(kind, 0.5) for name, kind in KINDS.items()}
    row = {"minutes": 0.5, "steps": 7, "gap_pct": 3.0, "vs_best_rule_pct": -1.0}
    state |= {"history": [row], "training": {"slots": [toy], 3: np.arange(3)}}
    arrays: dict[str, np.ndarray] = {}
    return to_files(pack(state, arrays), arrays)


@fuzz(few=60)
@given(rng=rngs)
def test_spoiled_checkpoints_are_read_or_refused(rng: random.Random) -> None:
    files = dict(good())
    name = rng.choice((STATE, STATE, TENSORS))
    if name == STATE and rng.random() < 0.8:
        files[name] = spoiled_json(json.loads(files[name]), rng)
    else:
        files[name] = spoiled_text(files[name], rng)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / CHECKPOINT).mkdir()
        for file, data in files.items():
            (Path(folder) / CHECKPOINT / file).write_bytes(data)
        reader = get_domain("jobshop").instance_from_json
        judged(lambda: read_checkpoint(Path(folder), reader), "", longest=10_000)
