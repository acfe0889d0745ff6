"""Checks of a domain's data: names, instances, files, library."""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphsched.envs.core.testing.play import Cases

CHANGES = 12  # perturbations of each instance


def assert_refused(call: Callable[[], Any], what: str) -> None:
    """Raise AssertionError unless the call raises InputError with a message of one line."""
    caught: Exception | None = None
    try:
        call()
    except Exception as error:
        caught = error
    assert isinstance(caught, InputError), f"{what}: expected InputError, found {caught!r}"
    assert "\n" not in str(caught), f"{what}: the message has several lines: {caught}"


def check_names(cases: Cases) -> None:
    """Names, options, presets and required entries."""
    domain = cases.domain
    assert re.fullmatch(r"[a-z][a-z0-9_]*", domain.name), f"name {domain.name!r} is no identifier"
    assert re.fullmatch(r"[A-Za-z0-9]+-v[0-9]+", domain.env_id), f"env_id {domain.env_id!r}"
    assert domain.objective, "objective is empty"
    assert dataclasses.is_dataclass(domain.options), "options is no dataclass"
    assert domain.options() == domain.options(), "options of equal values are not equal"
    for kind in ("toy", "random"):
        assert kind in domain.generators, f"there is no generator {kind!r}"
    assert "auto" in domain.readers, "there is no reader 'auto'"
    assert domain.baselines, "there is no baseline"
    domain.preset_tables()


def check_instances(cases: Cases) -> None:
    """JSON round trips, reproducible generators, groups and bounds."""
    domain = cases.domain
    for name, generate in domain.generators.items():
        twice = [generate(np.random.default_rng(7), "").to_json() for _ in range(2)]
        assert twice[0] == twice[1], f"generator {name!r} differs between equal streams"
    for instance in cases.instances:
        document = json.loads(json.dumps(instance.to_json()))
        again = domain.instance_from_json(document)
        assert again.to_json() == instance.to_json(), f"{instance.name}: JSON loses something"
        assert isinstance(domain.group(instance), str), f"{instance.name}: group is no string"
        bound, best = domain.lower_bound(instance), domain.best_known(instance)
        assert np.isfinite(bound), f"{instance.name}: lower bound {bound}"
        assert best is None or best >= bound, f"{instance.name}: best known {best} < bound {bound}"
    assert_refused(lambda: domain.instance_from_json({}), "an empty JSON instance")
    assert_refused(
        lambda: domain.solution_from_json(cases.instances[0], {}), "an empty JSON solution"
    )


def check_readers(cases: Cases) -> None:
    """``auto`` reads what `to_json` writes; no reader accepts rubbish."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "instance.json"
        for instance in cases.instances[:3]:
            path.write_text(json.dumps(instance.to_json()), encoding="utf-8")
            again = cases.domain.readers["auto"](path)
            assert again.to_json() == instance.to_json(), f"{instance.name}: read differently"
        rubbish = {
            "empty": b"",
            "binary": bytes(range(256)),
            "truncated": path.read_bytes()[:-20],
            "wrong": b'{"x": 1}',
        }
        for kind, content in rubbish.items():
            path.write_bytes(content)
            for name, read in cases.domain.readers.items():
                assert_refused(lambda read=read: read(path), f"reader {name!r}, {kind} file")  # type: ignore[misc]
        path.unlink()
        for name, read in cases.domain.readers.items():
            assert_refused(lambda read=read: read(path), f"reader {name!r}, missing file")  # type: ignore[misc]


def check_scalars(cases: Cases) -> None:
    """NumPy's scalars do where Python's are declared: they leave the same JSON."""
    for instance in cases.instances[:3]:
        again = _with_numpy_scalars(instance)
        assert json.dumps(again.to_json()) == json.dumps(instance.to_json()), instance.name
        solution = cases.domain.baseline(next(iter(cases.domain.baselines)))(instance)
        claimed = _with_numpy_scalars(solution)
        assert json.dumps(claimed.to_json()) == json.dumps(solution.to_json()), instance.name
    options = cases.domain.options()
    assert repr(_with_numpy_scalars(options)) == repr(options)


def _with_numpy_scalars(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.init]
        given = {name: _with_numpy_scalars(getattr(value, name)) for name in names}
        return dataclasses.replace(value, **given)
    if type(value) is tuple:
        return tuple(map(_with_numpy_scalars, value))
    kinds = {bool: np.bool_, int: np.int64, float: np.float64, str: np.str_}
    return kinds[type(value)](value) if type(value) in kinds else value


def check_library(cases: Cases) -> None:
    """Each set's first instance loads and bears its name; unknown names are refused."""
    library = cases.domain.library
    for name, members in library.sets.items():
        assert members, f"library set {name!r} is empty"
        found = library.load(members[0]).name
        assert found == members[0], f"library: {members[0]!r} is named {found!r}"
    assert_refused(lambda: library.load("no such instance"), "an unknown instance")


def check_perturbations(cases: Cases) -> None:
    """Perturbed instances survive JSON, are about as large, repeatable, and mostly something new."""
    domain = cases.domain
    if domain.perturb is None:
        return
    for instance in cases.instances:
        before, size = instance.to_json(), len(json.dumps(instance.to_json()))
        same = 0
        for draw in range(CHANGES):
            changed = domain.perturb(instance, np.random.default_rng([cases.seed, draw]))
            document = changed.to_json()
            again = domain.perturb(instance, np.random.default_rng([cases.seed, draw])).to_json()
            assert document == again, f"{instance.name}: perturb differs between equal streams"
            read = domain.instance_from_json(json.loads(json.dumps(document))).to_json()
            assert read == document, f"{instance.name}: JSON loses something of a perturbed one"
            found = len(json.dumps(document))
            about = 0.5 * size <= found <= 2 * size + 100
            assert about, f"{instance.name}: perturbed from {size} characters to {found}"
            assert domain.best_known(changed) is None, f"{changed.name!r} has a best known value"
            same += document == before | {key: document[key] for key in ("name",) if key in before}
        assert same <= CHANGES // 2, f"{instance.name}: {same} of {CHANGES} changes change nothing"
        assert instance.to_json() == before, f"{instance.name}: perturb changed its argument"
