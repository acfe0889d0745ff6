"""Bundles come back as written, and whatever is wrong with one is a single line."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from graphsched.agents.bundles.bundle import FILES, Networks, read_bundle, write_bundle
from graphsched.agents.networks.packing import UNLIMITED, limited_parts
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.graph import features
from graphsched.envs.core.parts.reading import read_bytes
from tests.toy_domain import DOMAIN

NETWORKS = Networks(
    {"encoder.a": np.arange(6, dtype=np.float32).reshape(2, 3), "decoder.b": np.ones(2)},
    encoder_onnx=b"encoder",
    decoder_onnx=b"decoder",
    width=8,
    layers=2,
    decoder_width=16,
)

EIGHT_BITS = b'{"decoder.a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "crew" / "good"
    metrics = {"gap_pct": 1.5}
    write_bundle(folder, DOMAIN, NETWORKS, training={"lr": 0.1}, seed=7, metrics=metrics)
    return folder


def refused(path: Path, *words: str, domain: object = DOMAIN) -> None:
    with pytest.raises(InputError) as caught:
        read_bundle(path, domain)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def edit(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    document = json.loads((path / "config.json").read_text())
    change(document)
    (path / "config.json").write_text(json.dumps(document))


def test_round_trip(path: Path) -> None:
    found = read_bundle(path, DOMAIN)
    assert found.name == "good"
    assert found.domain is DOMAIN
    assert found.simulator_options == DOMAIN.options()
    assert found.metrics == {"gap_pct": 1.5}
    assert found.config["training"] == {"lr": 0.1}
    assert found.config["seed"] == 7
    assert {"python", "numpy"} <= found.config["versions"].keys()
    assert replace(found.networks, params={}) == replace(NETWORKS, params={})
    limits = {f"decoder.{part}_limits" for part in limited_parts(DOMAIN.schema)}
    assert found.networks.params.keys() == NETWORKS.params.keys() | limits
    for name, array in NETWORKS.params.items():
        np.testing.assert_array_equal(found.networks.params[name], array)
    assert "`crew`" in (path / "README.md").read_text()


def test_overwriting_keeps_the_new_one(path: Path) -> None:
    write_bundle(path, DOMAIN, replace(NETWORKS, width=9), card="a card")
    assert read_bundle(path, DOMAIN).networks.width == 9
    assert (path / "README.md").read_text() == "a card"


def test_missing(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "nowhere", "no such bundle")


@pytest.mark.parametrize("name", [*FILES, "config.json"])
def test_missing_file(path: Path, name: str) -> None:
    (path / name).unlink()
    refused(path, name, "no such file")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_damaged_file(path: Path, name: str, damage: str) -> None:
    data = bytearray((path / name).read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 1
    damaged = {"truncated": bytes(data[:-1]), "flipped": bytes(data), "empty": b""}
    (path / name).write_bytes(damaged[damage])
    refused(path, name, "damaged")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "is empty"),
        ("{", "JSON"),
        ("[]", "JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("\x00\xff", "binary"),
        ('{"schema": 1e999}', "64-bit"),
    ],
)
def test_config_is_not_json(path: Path, text: str, word: str) -> None:
    (path / "config.json").write_bytes(text.encode("latin-1"))
    refused(path, "config.json", word)


def test_config_is_a_pipe_that_nobody_writes_to(path: Path) -> None:
    (path / "config.json").unlink()
    os.mkfifo(path / "config.json")
    refused(path, "config.json", "is empty")


def test_long_names_are_shortened(path: Path) -> None:
    good = (path / "config.json").read_text()
    long = "n" * 3000
    changes: list[dict[str, object]] = [
        {"schema": long},
        {"domain": long},
        {"graph_schema": {long: 1}},
        {"simulator_options": {long: 1}},
    ]
    for change in changes:
        (path / "config.json").write_text(good)
        edit(path, lambda config, change=change: config.update(change))  # type: ignore[misc]
        for domain in (DOMAIN, None):
            with pytest.raises(InputError) as caught:
                read_bundle(path, domain)
            assert len(str(caught.value).replace(str(path), "")) < 600


def test_unknown_version(path: Path) -> None:
    edit(path, lambda config: config.update(schema=99))
    refused(path, "config.json", "schema 99", "expected 1")


def test_other_domain(path: Path) -> None:
    refused(path, "'crew'", "'flow'", domain=replace(DOMAIN, name="flow"))


def test_unknown_domain(path: Path) -> None:
    refused(path, "'crew'", "not one of", domain=None)


def test_changed_features(path: Path) -> None:
    schema = replace(DOMAIN.schema, context=features("jobs", "ended"))
    changed = replace(DOMAIN, schema=schema)
    refused(path, "graph_schema.context[1].name", "'finished'", "'ended'", domain=changed)
    shorter = replace(DOMAIN, schema=replace(DOMAIN.schema, context=features("jobs")))
    refused(path, "graph_schema.context", "2 entries, expected 1", domain=shorter)


# The toy domain as it may be later, with two candidate columns more.
LATER = replace(
    DOMAIN,
    schema=replace(DOMAIN.schema, candidate=DOMAIN.schema.candidate + features("new", "newer")),
)


def test_weights_of_newer_candidate_columns_are_zero(path: Path) -> None:
    known = len(DOMAIN.schema.candidate)
    wide = {"decoder.candidate_in.weight": 16, "decoder.linear_out.weight": 1}
    params = {name: np.ones((rows, known), np.float32) for name, rows in wide.items()}
    odd = {"decoder.candidate_in.bias": np.ones((2, 2)), "encoder.linear_out.weight": np.ones(3)}
    write_bundle(path, DOMAIN, replace(NETWORKS, params={**params, **odd}))
    found = read_bundle(path, LATER)
    assert found.schema == DOMAIN.schema
    assert found.domain.schema == LATER.schema
    for name, rows in wide.items():
        array = found.networks.params[name]
        assert array.dtype == np.float32
        assert array.tolist() == [[1.0] * known + [0.0, 0.0]] * rows
    for name, same in odd.items():
        np.testing.assert_array_equal(found.networks.params[name], same)
    write_bundle(path, LATER, replace(NETWORKS, params={**params, **odd}))
    np.testing.assert_array_equal(
        read_bundle(path, LATER).networks.params["decoder.linear_out.weight"], np.ones((1, known))
    )


def test_an_older_bundle_has_no_limits(path: Path) -> None:
    """Newer columns have none either, and what is there already stays."""
    known, columns = len(DOMAIN.schema.candidate), len(LATER.schema.candidate)
    some = np.stack([np.full(known, -2.0), np.full(known, 3.0)]).astype(np.float32)
    params = {"decoder.linear_out.weight": np.ones((1, known), np.float32)}
    for given in ({}, {"decoder.candidate_limits": some}):
        write_bundle(path, DOMAIN, replace(NETWORKS, params={**params, **given}))
        found = read_bundle(path, LATER).networks.params
        kept = len(given) * known
        for part, count in limited_parts(LATER.schema).items():
            limits = found[f"decoder.{part}_limits"]
            assert limits.shape == (2, count)
            free = limits[:, kept:] if part == "candidate" else limits
            assert (free[0] == -UNLIMITED).all()
            assert (free[1] == UNLIMITED).all()
        found_limits = found["decoder.candidate_limits"]
        assert found_limits[:, :kept].tolist() == some[:, :kept].tolist()
        assert found_limits.shape[1] == columns


def test_other_differences_of_candidate_columns_are_refused(path: Path) -> None:
    """Only columns at the end may be newer, and only a candidate's."""
    first, *rest = DOMAIN.schema.candidate
    newer = features("new")
    for candidate in ((*newer, first, *rest), (*rest, *newer), (*rest, first, *newer)):
        schema = replace(DOMAIN.schema, candidate=candidate)
        refused(path, "graph_schema.candidate", domain=replace(DOMAIN, schema=schema))
    schema = replace(LATER.schema, context=DOMAIN.schema.context + newer)
    refused(path, "graph_schema.context", domain=replace(DOMAIN, schema=schema))
    write_bundle(path, LATER, NETWORKS)
    entries = f"{len(LATER.schema.candidate)} entries, expected {len(DOMAIN.schema.candidate)}"
    refused(path, "graph_schema.candidate", entries)
    wrong: list[object] = [[], {}, None, 3, [[]]]
    for found in wrong:
        edit(path, lambda c, found=found: c["graph_schema"].update(candidate=found))  # type: ignore[misc]
        refused(path, "graph_schema.candidate", domain=LATER)


@pytest.mark.parametrize("options", [{"nonsense": 1}, [], None])
def test_wrong_simulator_options(path: Path, options: object) -> None:
    edit(path, lambda config: config.update(simulator_options=options))
    refused(path, "simulator_options")


@pytest.mark.parametrize("width", ["8", -1, None, 1.5, True, 10**9])
def test_wrong_width(path: Path, width: object) -> None:
    edit(path, lambda config: config.update(width=width))
    refused(path, "width: expected a whole number")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"garbage", "not a safetensors file"),
        (save({"encoder.a": np.ones(1)}), "no decoder"),
        (save({"decoder.a": np.array([np.nan])}), "decoder.a is not finite"),
        (len(EIGHT_BITS).to_bytes(8, "little") + EIGHT_BITS + b"1", "numpy's types"),
    ],
)
def test_wrong_parameters(path: Path, data: bytes, word: str) -> None:
    name = "model.safetensors"
    (path / name).write_bytes(data)
    edit(path, lambda config: config["files"].update({name: sha256(data).hexdigest()}))  # type: ignore[attr-defined]
    refused(path, name, word)


def test_reading_while_it_is_replaced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-way through a reading the folder is replaced by one with other content."""
    replaced: list[bool] = []

    def replace_on_the_way(file: Path, most: int) -> bytes:
        if file.name == "metrics.json" and not replaced:
            replaced.append(True)
            write_bundle(path, DOMAIN, NETWORKS, metrics={"gap_pct": 2.5})
        return read_bytes(file, most)

    monkeypatch.setattr("graphsched.agents.bundles.bundle.read_bytes", replace_on_the_way)
    assert read_bundle(path, DOMAIN).metrics == {"gap_pct": 2.5}
    assert replaced
