"""An interrupted evaluation goes on where it stopped and ends as if it had not been."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.eval.evaluate import evaluate
from graphsched.eval.running.journal import FILE
from tests.eval.samples import entered
from tests.toy_domain import DOMAIN

if TYPE_CHECKING:
    from pathlib import Path

    from graphsched.eval.running.rows import Row

WORDS = ["first", "shortest"]


def _instances() -> list[Any]:
    return [DOMAIN.generators["random"](np.random.default_rng(i), "4x2") for i in range(3)]


def _interrupted(folder: Path, after: int) -> None:
    """An evaluation that is stopped once so many rows are there."""
    seen: list[Row] = []

    def stop(row: Row) -> None:
        seen.append(row)
        if len(seen) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(DOMAIN, _instances(), entered(WORDS), out=folder, on_row=stop)


def _costs(document: dict[str, Any]) -> list[tuple[str, str, float]]:
    return [(row["solver"], row["instance"], row["cost"]) for row in document["rows"]]


def test_an_interrupted_evaluation_goes_on(tmp_path: Path) -> None:
    """Rows that are there are taken over, the rest is solved, and the picture is there too."""
    _interrupted(tmp_path, 4)
    kept = (tmp_path / FILE).read_text().splitlines()
    assert len(kept) == 5
    solved: list[Row] = []
    found = evaluate(
        DOMAIN, _instances(), entered(WORDS), out=tmp_path, on_row=solved.append, resume=True
    )
    whole = evaluate(DOMAIN, _instances(), entered(WORDS))
    assert _costs(found) == _costs(whole)
    first = json.loads(kept[1])["row"]
    assert solved[0].seconds == first["seconds"]
    assert "solved by first" in (tmp_path / "report.html").read_text()
    assert not (tmp_path / FILE).exists()


def test_a_line_that_was_cut_off_is_solved_again(tmp_path: Path) -> None:
    """At most the solve in progress is lost."""
    _interrupted(tmp_path, 3)
    path = tmp_path / FILE
    path.write_text(path.read_text()[:-20])
    found = evaluate(DOMAIN, _instances(), entered(WORDS), out=tmp_path, resume=True)
    assert len(found["rows"]) == 6


def test_an_unfinished_evaluation_is_not_overwritten(tmp_path: Path) -> None:
    """Hours of rows don't go because a flag was forgotten."""
    _interrupted(tmp_path, 2)
    before = (tmp_path / FILE).read_text()
    with pytest.raises(InputError, match="unfinished evaluation: go on with --resume"):
        evaluate(DOMAIN, _instances(), entered(WORDS), out=tmp_path)
    assert (tmp_path / FILE).read_text() == before


@pytest.mark.parametrize(
    ("instances", "words", "seeds", "what"),
    [(2, WORDS, (0,), "instances"), (3, ["first"], (0,), "contenders"), (3, WORDS, (1,), "seeds")],
)
def test_another_evaluation_is_refused(
    tmp_path: Path, instances: int, words: list[str], seeds: tuple[int, ...], what: str
) -> None:
    """Rows of other instances, contenders or seeds are not mixed in."""
    _interrupted(tmp_path, 2)
    with pytest.raises(InputError, match=f"another evaluation: its {what} differ"):
        evaluate(
            DOMAIN,
            _instances()[:instances],
            entered(words),
            seeds=seeds,
            out=tmp_path,
            resume=True,
        )


@pytest.mark.parametrize("text", ["no json\n", "[]\n", '{"schema": 2}\n'])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    """One line that names the file."""
    (tmp_path / FILE).write_text(text)
    with pytest.raises(InputError, match=FILE):
        evaluate(DOMAIN, _instances(), entered(WORDS), out=tmp_path, resume=True)
