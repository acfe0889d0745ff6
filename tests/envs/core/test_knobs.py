"""Knobs of baselines: what is swept, and files of settings that are read or refused in one line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.knobs import Knob, grid, read_settings, written
from tests.toy_domain import DOMAIN

if TYPE_CHECKING:
    from pathlib import Path

KNOBS = {
    "budget": Knob((0, 128, 512), 128),
    "share": Knob((0.0, 0.5), 0.25),
    "order": Knob(("fcfs", "sjf"), "fcfs"),
    "skips": Knob((False, True), False),
}
GOOD: dict[str, Any] = {
    "schema": 1,
    "domain": "crew",
    "baseline": "ranked",
    "settings": {"rank": 2},
}


def test_grid_begins_with_the_defaults_and_holds_every_combination_once() -> None:
    """Also where a default isn't among the values that are swept."""
    settings = grid(KNOBS)
    assert settings[0] == {"budget": 128, "share": 0.25, "order": "fcfs", "skips": False}
    assert len(settings) == 1 + 3 * 2 * 2 * 2
    assert len({written(s) for s in settings}) == len(settings)
    held = grid(KNOBS, {"budget": [512], "share": [0.5], "order": ["sjf"]})
    assert held == [
        {"budget": 512, "share": 0.5, "order": "sjf", "skips": False},
        {"budget": 512, "share": 0.5, "order": "sjf", "skips": True},
    ]


def test_a_default_stays_first_among_values_that_hold_it() -> None:
    """The sweep compares with it."""
    assert grid({"budget": KNOBS["budget"]}, {"budget": [512, 128]}) == [
        {"budget": 128},
        {"budget": 512},
    ]


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [("budget", 200, 200), ("share", 0, 0.0), ("order", "sjf", "sjf"), ("skips", True, True)],
)
def test_values_in_range_are_kept(name: str, value: Any, kept: Any) -> None:
    """Numbers between the least and the greatest, whole ones as fractions where those are meant."""
    found = KNOBS[name].checked(value, name)
    assert found == kept
    assert type(found) is type(kept)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("budget", v) for v in (-1, 513, 128.0, True, "128", None, 10**400)),
        *(("share", v) for v in (-0.1, 0.6, float("nan"), float("inf"), "0.1", False)),
        *(("order", v) for v in ("SJF", 0, None, ["sjf"])),
        *(("skips", v) for v in (0, 1, "true", None)),
    ],
)
def test_values_out_of_range_are_refused(name: str, value: Any) -> None:
    """With what was expected."""
    with pytest.raises(InputError, match=f"{name}: expected"):
        KNOBS[name].checked(value, name)


def test_a_default_out_of_range_is_refused() -> None:
    """Of which a domain's author hears at once."""
    with pytest.raises(InputError, match="default"):
        Knob((0, 1), 2)


def test_a_file_sets_a_baseline_as_its_options_do(tmp_path: Path) -> None:
    """``BASELINE:FILE`` becomes a baseline of that name, with the settings and without knobs."""
    path = tmp_path / "ranked.json"
    path.write_text(json.dumps(GOOD))
    word = f"ranked:{path}"
    domain = DOMAIN.with_tuned([word, "first"])
    assert set(domain.baselines) - set(DOMAIN.baselines) == {word}
    assert not domain.baselines[word].knobs
    assert "rank=2" in domain.baselines[word].summary
    instance = DOMAIN.library.load(next(iter(next(iter(DOMAIN.library.sets.values())))))
    told = DOMAIN.baseline("ranked", SolverOptions(settings={"rank": 2}))(instance)
    assert domain.baseline(word)(instance).to_json() == told.to_json()


def test_settings_left_out_have_their_defaults(tmp_path: Path) -> None:
    """A file that is older than a knob still sets the others."""
    path = tmp_path / "s.json"
    path.write_text(json.dumps({**GOOD, "settings": {}}))
    assert read_settings(path, "crew", "ranked", DOMAIN.baselines["ranked"].knobs) == {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"domain": "jobshop"}, "domain"),
        ({"baseline": "first"}, "baseline: expected 'ranked'"),
        ({"baseline": 3}, "baseline"),
        ({"schema": 2}, "schema"),
        ({"settings": {"rank": 9}}, "settings.rank"),
        ({"settings": {"rank": "1"}}, "settings.rank"),
        ({"settings": {"rnk": 1}}, "settings.rnk"),
        ({"settings": [1]}, "settings: expected an object"),
        ({"settings": None}, "settings: expected an object"),
        ({"weights": {}}, "weights"),
    ],
)
def test_files_of_something_else_are_refused(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    """With the file's name and the field."""
    path = tmp_path / "s.json"
    path.write_text(json.dumps({**GOOD, **change}))
    with pytest.raises(InputError) as caught:
        DOMAIN.with_tuned([f"ranked:{path}"])
    assert str(path) in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", list(GOOD))
def test_every_field_is_needed(tmp_path: Path, field: str) -> None:
    """A file must say what it is for."""
    path = tmp_path / "s.json"
    path.write_text(json.dumps({k: v for k, v in GOOD.items() if k != field}))
    with pytest.raises(InputError, match=field):
        DOMAIN.with_tuned([f"ranked:{path}"])


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("no:x.json", "baseline 'no'"),
        ("first:x.json", "has no knobs"),
        ("ranked:no-such.json", "no such file"),
        ("ranked:", "is a directory"),
    ],
)
def test_words_that_name_no_settings(word: str, told: str) -> None:
    """An unknown baseline, one without knobs, a file that isn't there."""
    with pytest.raises(InputError, match=told):
        DOMAIN.with_tuned([word])


def test_options_with_unknown_settings_are_refused() -> None:
    """Through Python, too."""
    with pytest.raises(InputError, match="settings"):
        DOMAIN.baseline("first", SolverOptions(settings={"rank": 1}))
