"""Whatever stands in a dataset, it is read and played, or refused by one line that names the file."""

from __future__ import annotations

import gzip
import json
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given

from graphsched.envs.core.registry import get_domain
from graphsched.training.teaching.card import Card, options_table
from graphsched.training.teaching.dataset import (
    CARD,
    Episode,
    add_shard,
    begin_dataset,
    read_dataset,
)
from graphsched.training.teaching.replay import replay
from tests.fuzz.judging import fuzz, judged, rngs
from tests.fuzz.spoiling import spoiled_json, spoiled_text

if TYPE_CHECKING:
    import random

JOBSHOP = get_domain("jobshop")
OPTIONS = JOBSHOP.options(delay_window=1.0, pilot_steps=0)
SHARD = "shard-00000.json.gz"


@cache
def good() -> dict[str, bytes]:
    """The files of a dataset of two episodes, one of them with probabilities."""
    instance = JOBSHOP.generators["toy"](np.random.default_rng(0), "")
    episodes = []
    for soft in (False, True):
        sim = JOBSHOP.simulator(1, OPTIONS)
        sim.reset([0], [instance], [0])
        counts = []
        while len(obs := sim.observe()["candidate_ptr"]) > 1:
            counts.append(int(obs[1]))
            sim.step(np.zeros(1, np.int64))
        targets = np.concatenate([np.full(n, 1 / n, np.float32) for n in counts])
        actions = np.zeros(len(counts), np.int64)
        cost = float(sim.costs()[0])
        episodes.append(Episode(instance, 0, actions, targets if soft else None, cost))
    figures = {"decisions": 8, "inexact": 1, "teacher_gap_pct": 1.0}
    figures |= {"replay_gap_pct": 1.0, "excess_pct": 0.0, "seconds": 1.0}
    card = Card(
        "jobshop", options_table(OPTIONS), "toy:=1", "spt", 0.5, 0, 2, None, {"a": "1"}, "b"
    )
    with tempfile.TemporaryDirectory() as folder:
        add_shard(Path(folder), begin_dataset(Path(folder), card, JOBSHOP), episodes, figures)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@fuzz(few=80)
@given(rng=rngs)
def test_spoiled_datasets_are_played_or_refused(rng: random.Random) -> None:
    """Most have the checksums of what is in them, so that the contents are looked at."""
    files = dict(good())
    if rng.random() < 0.4:
        files[CARD] = spoiled_json(json.loads(files[CARD]), rng)
    else:
        text = gzip.decompress(files[SHARD])
        few = rng.random() < 0.1
        text = spoiled_text(text, rng) if few else spoiled_json(json.loads(text), rng)
        files[SHARD] = gzip.compress(text) if rng.random() < 0.9 else text
        card = json.loads(files[CARD])
        card["shards"][0]["sha256"] = sha256(files[SHARD]).hexdigest()
        files[CARD] = json.dumps(card).encode()
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        partial = rng.random() < 0.5
        found = judged(lambda: read_dataset(folder, JOBSHOP, OPTIONS, partial=partial), folder)
        if found is not None:
            judged(lambda: replay(JOBSHOP, OPTIONS, found[1]), "")
