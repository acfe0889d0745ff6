"""Latencies agree with those recorded from Vidur, where that record is at hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.options import Scheduler
from graphsched.envs.batching.physics.replay import serve
from graphsched.envs.batching.physics.timeline import timeline

FOLDER = Path(os.environ.get("GRAPHSCHED_DATA", "data-not-there")) / "batching/vidur_reference"
CASES = [
    ("sarathi-1.0", "sarathi"),
    ("sarathi-2.0", "sarathi"),
    ("vllm-1.0", "vllm-v0"),
    ("vllm-2.0", "vllm-v0"),
    ("orca-1.0", "orca"),
]
pytestmark = [
    pytest.mark.differential,
    pytest.mark.compiled,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="set GRAPHSCHED_DATA to Vidur's records"),
]


@pytest.mark.parametrize(("record", "batching"), CASES)
def test_latencies_agree_with_vidur(record, batching):
    """TTFT p50 within 10 %, end-to-end p50 within 5 %, below saturation."""
    rows = np.genfromtxt(FOLDER / f"{record}-arxiv.csv", delimiter=",", skip_header=1)
    prompt, output = rows[:, 1].astype(np.int64), rows[:, 2].astype(np.int64)
    requests = make_requests(rows[:, 0], prompt, output)
    instance = BatchingInstance(record, requests, (Replica(),), np.zeros((2, 0), np.int64))
    times = timeline(instance, serve(instance, Scheduler(batching=batching)))
    first, last = times.first - times.visible, times.last - times.visible
    assert np.median(first) == pytest.approx(np.median(rows[:, 3]), rel=0.10)
    assert np.median(last) == pytest.approx(np.median(rows[:, 4]), rel=0.05)
