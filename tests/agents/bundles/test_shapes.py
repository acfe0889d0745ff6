"""A policy's parts must fit its domain, whatever their checksums say; names come before folders."""

from __future__ import annotations

import json
import re
import shutil
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from graphsched.agents.bundles.shapes import decoder_shapes
from graphsched.agents.bundles.shipped import shipped_policies
from graphsched.agents.runtime import load_policy
from graphsched.cli.main import main
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import domain_names, get_domain

if TYPE_CHECKING:
    from collections.abc import Callable

SHIPPED = [(d, name) for d in domain_names() for name in shipped_policies(d)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped_policies("jobshop")["default"], tmp_path / "mine"))


def forge(path: Path, name: str, data: bytes, **config: Any) -> None:
    """Put a file into a bundle, with the checksum that it has."""
    document = json.loads((path / "config.json").read_text())
    (path / name).write_bytes(data)
    document["files"][name] = sha256(data).hexdigest()
    (path / "config.json").write_text(json.dumps(document | config))


@pytest.mark.parametrize(("domain", "name"), SHIPPED)
@pytest.mark.parametrize("backend", ["kernel", "onnx"])
def test_what_ships_fits(domain: str, name: str, backend: str) -> None:
    assert load_policy(name, domain, backend).domain.name == domain


@pytest.mark.parametrize(("domain", "name"), SHIPPED)
def test_what_ships_does_not_tell_where_it_was_made(domain: str, name: str) -> None:
    """Its documents name files and folders by their last part alone."""
    folder = shipped_policies(domain)[name]
    for document in ("config.json", "metrics.json", "README.md"):
        assert not re.search(r'["`](/|[A-Z]:)\w', (folder / document).read_text())


@pytest.mark.parametrize("domain", domain_names())
def test_shapes_are_those_of_the_decoder(domain: str) -> None:
    torch_decoder = pytest.importorskip("graphsched.agents.networks.decoder")
    schema = get_domain(domain).schema
    found = torch_decoder.Decoder(schema, 24, 16).state_dict()
    assert {k: tuple(v.shape) for k, v in found.items()} == decoder_shapes(schema, 24, 16)


@pytest.mark.parametrize("backend", ["kernel", "onnx"])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("decoder.candidate_in.weight", lambda a: a[:, :-1]),
        ("decoder.candidate_in.weight", lambda a: np.vstack([a, a])),
        ("decoder.score_out.weight", lambda a: a.ravel()),
        ("decoder.value_out.bias", lambda a: a[:0]),
        ("decoder.linear_out.weight", lambda a: a.astype(np.int32)),
        ("decoder.resource_ref.weight", None),
        ("decoder.more", lambda a: np.ones(1, np.float32)),
    ],
)
def test_parameters_of_other_shapes_are_named(
    path: Path, name: str, change: Callable[[Any], Any] | None, backend: str
) -> None:
    params = load((path / "model.safetensors").read_bytes())
    before = params.pop(name, None)
    if change is not None:
        params[name] = np.ascontiguousarray(change(before))
    forge(path, "model.safetensors", save(params))
    with pytest.raises(InputError, match=rf"model\.safetensors: parameter .*{re.escape(name)}"):
        load_policy(path, "jobshop", backend)


@pytest.mark.parametrize(
    ("file", "backend"), [("encoder.onnx", "kernel"), ("decoder.onnx", "onnx")]
)
def test_a_model_of_another_domain_is_named(path: Path, file: str, backend: str) -> None:
    other = next(iter(shipped_policies("soc").values()))
    forge(path, file, (other / file).read_bytes())
    with pytest.raises(InputError, match=re.escape(f"{file}: ")):
        load_policy(path, "jobshop", backend)


def test_options_beyond_reason_are_named(path: Path) -> None:
    config = json.loads((path / "config.json").read_text())
    options = config["simulator_options"] | {"pilot_steps": 10**12}
    forge(path, "metrics.json", b"{}", simulator_options=options)
    with pytest.raises(InputError, match=r"config\.json: simulator_options: pilot_steps"):
        load_policy(path, "jobshop")


@pytest.mark.parametrize("name", ["default", "linear"])
def test_folders_that_bear_a_shipped_name_are_said_with_a_dot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: Path, name: str
) -> None:
    """A folder that happens to lie where a command runs changes nothing."""
    monkeypatch.chdir(tmp_path)
    shipped = name in shipped_policies("jobshop")
    (tmp_path / name).mkdir()
    assert main(["solve", "jobshop", "ft06"]) == 0
    if shipped:
        assert load_policy(name, "jobshop").config["domain"] == "jobshop"
    with pytest.raises(InputError, match=r"config\.json: no such file"):
        load_policy(f"./{name}", "jobshop")
    (tmp_path / name).rmdir()
    path.rename(tmp_path / name)
    document = json.loads((tmp_path / name / "config.json").read_text())
    (tmp_path / name / "config.json").write_text(json.dumps(document | {"seed": 4321}))
    assert load_policy(f"./{name}", "jobshop").config["seed"] == 4321
    assert load_policy(Path(name), "jobshop").config["seed"] == 4321
    assert load_policy(domain="jobshop").config["seed"] != 4321
    assert (load_policy(name, "jobshop").config["seed"] == 4321) is not shipped
