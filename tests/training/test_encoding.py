"""Checkpoint states survive their two files, and a killed writer leaves one that loads."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from graphsched.envs.core.errors import InputError
from graphsched.envs.jobshop import DOMAIN
from graphsched.training.running.encoding import TENSORS, from_files, pack, to_files, unpack
from graphsched.training.running.resume import CHECKPOINT, read_checkpoint
from tests.training.runs import ROOT
from tests.training.test_resume import differences

if TYPE_CHECKING:
    from pathlib import Path

STATE: dict[str, Any] = {
    "plain": [None, True, 3, -0.1, 1e-300, float("inf"), "word", {"a": (1, (2.5, "x"))}],
    "huge": np.random.default_rng(5).bit_generator.state,
    "python": random.Random(1).getstate(),
    "keys": {0: "int", 7: {"nested": 1}, "word": 2},
    "arrays": [np.arange(6).reshape(2, 3)[:, ::2], np.zeros((0, 4), np.float32), np.array(True)],
    "tensors": {"step": torch.tensor(3.0), "w": torch.randn(3, 2).T},
    "scalar": np.float64(0.1),
}


def there_and_back(state: Any) -> Any:
    """Through both files."""
    arrays: dict[str, Any] = {}
    document = pack(state, arrays)
    return unpack(*from_files(to_files(document, arrays), "here"), DOMAIN.instance_from_json)


def test_states_come_back_bit_by_bit() -> None:
    """Values, types, shapes and the kinds of containers."""
    back = there_and_back(STATE)
    assert differences(back, STATE) == []
    assert back["plain"][-1] == {"a": (1, (2.5, "x"))}
    assert back["arrays"][1].dtype == np.float32
    assert back["arrays"][1].shape == (0, 4)
    assert isinstance(back["tensors"]["w"], torch.Tensor)
    random.Random().setstate(back["python"])


def test_instances_come_back() -> None:
    """As the domain reads its JSON."""
    instance = DOMAIN.generators["irregular"](np.random.default_rng(0), "")
    assert there_and_back([instance])[0].to_json() == instance.to_json()


def test_copies_do_not_follow_the_original() -> None:
    """A snapshot stays as it was while training goes on."""
    array, tensor = np.zeros(2), torch.zeros(2)
    arrays: dict[str, Any] = {}
    document = pack([array, tensor], arrays)
    array += 1
    tensor += 1
    back = unpack(document, arrays, DOMAIN.instance_from_json)
    assert all(float(item.sum()) == 0.0 for item in back)


def test_other_objects_are_refused() -> None:
    """Nothing is pickled."""
    with pytest.raises(TypeError, match="cannot store a object"):
        pack([object()], {})


def test_damaged_files_are_named() -> None:
    """Cut short or garbled."""
    arrays: dict[str, Any] = {}
    document = pack(STATE, arrays)
    files = to_files(document, arrays)
    with pytest.raises(InputError, match="here: damaged checkpoint"):
        from_files({**files, TENSORS: files[TENSORS][:50]}, "here")


WRITER = """
import sys, numpy as np
from pathlib import Path
from graphsched.envs.core.parts.writing import replace_folder
from graphsched.training.running.encoding import pack, to_files
from graphsched.training.running.resume import KINDS
empty = {name: (kind[0] if isinstance(kind, tuple) else kind)() for name, kind in KINDS.items()}
number = 0
while True:
    number += 1
    arrays = {}
    state = {"schema": 1, "number": number, "a": np.full(200_000, number)}
    document = pack({**empty, **state}, arrays)
    replace_folder(Path(sys.argv[1]), to_files(document, arrays))
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_killed_writer_leaves_a_checkpoint_that_loads(tmp_path: Path) -> None:
    """Killed at five moments; each time there is one, it is whole, and none goes back."""
    rng, latest = np.random.default_rng(0), 0
    for _ in range(5):
        words = [sys.executable, "-c", WRITER, str(tmp_path / CHECKPOINT)]
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(2):
                writer.stdout.readline()
            for _ in range(4):  # readers meet a folder that is being replaced
                state = read_checkpoint(tmp_path, DOMAIN.instance_from_json)
                assert state is None or np.all(state["a"] == state["number"])
            time.sleep(float(rng.uniform(0.0, 0.05)))
            writer.send_signal(signal.SIGKILL)
        state = read_checkpoint(tmp_path, DOMAIN.instance_from_json)
        assert state is not None
        assert np.all(state["a"] == state["number"])
        latest = max(latest, state["number"])
    assert latest >= 2
