"""Bundles: a trained policy as a self-describing folder without pickles.

* ``config.json``: domain, feature schema, widths, simulator options, training, checksums.
* ``model.safetensors``: parameters, ``encoder.*`` and ``decoder.*``.
* ``encoder.onnx``, ``decoder.onnx``: the same networks for onnxruntime.
* ``metrics.json``: what the policy reached.
* ``README.md``: model card.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from graphsched.agents.bundles.provenance import git_hash, versions
from graphsched.agents.bundles.shapes import (
    MAX_LAYERS,
    MAX_WIDTH,
    first_difference,
    older_schema,
    with_limits,
    with_newer_columns,
)
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import MIB, parse_json, read_bytes
from graphsched.envs.core.parts.values import shown
from graphsched.envs.core.parts.writing import find_folder, replace_folder
from graphsched.envs.core.registry import get_domain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from graphsched.envs.core.domain import Domain
    from graphsched.envs.core.graph import GraphSchema

VERSION = 1
FILES = ("model.safetensors", "encoder.onnx", "decoder.onnx", "metrics.json", "README.md")
MAX_BYTES = 1024 * MIB  # of a file
MAX_SIZES = {"width": MAX_WIDTH, "layers": MAX_LAYERS, "decoder_width": MAX_WIDTH}
ATTEMPTS = 5  # readings of a bundle that is being replaced


@dataclass(frozen=True)
class Networks:
    """A policy's networks in all forms that a bundle carries.

    Attributes:
        params: ``encoder.*`` and ``decoder.*`` parameters by name.
        encoder_onnx, decoder_onnx: serialised models.
        width, layers: of the encoder.
        decoder_width: of the decoder.
    """

    params: Mapping[str, NDArray[Any]]
    encoder_onnx: bytes
    decoder_onnx: bytes
    width: int
    layers: int
    decoder_width: int


@dataclass(frozen=True)
class Bundle:
    """A validated bundle.

    Attributes:
        path: of the folder.
        domain: that it belongs to.
        schema: what its ONNX models take; of an older bundle it lacks the newest candidate columns,
            for which the parameters have zeros.
        networks: the policy.
        simulator_options: instance of ``domain.options``, as trained with.
        config, metrics: the JSON documents.
    """

    path: Path
    domain: Domain[Any, Any]
    schema: GraphSchema
    networks: Networks
    simulator_options: Any
    config: Mapping[str, Any] = field(repr=False)
    metrics: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name


def write_bundle(
    path: Path | str,
    domain: Domain[Any, Any],
    networks: Networks,
    *,
    simulator_options: Any = None,
    training: Mapping[str, Any] | None = None,
    seed: int | None = None,
    metrics: Mapping[str, Any] | None = None,
    card: str | None = None,
) -> None:
    """Write or replace a bundle, crash-safe.

    Args:
        path: the folder.
        domain: that the policy was trained for.
        networks: the policy.
        simulator_options: used in training; the domain's defaults if None.
        training: the training configuration as JSON.
        seed: of the training.
        metrics: what the policy reached, as JSON.
        card: text of the README; made from the rest if None.
    """
    options = domain.options() if simulator_options is None else simulator_options
    config = {
        "schema": VERSION,
        "domain": domain.name,
        "graph_schema": schema_json(domain.schema),
        "width": networks.width,
        "layers": networks.layers,
        "decoder_width": networks.decoder_width,
        "simulator_options": asdict(options),
        "training": dict(training or {}),
        "seed": seed,
        "versions": versions(),
        "git": git_hash(),
    }
    files = {
        "model.safetensors": save(
            {name: np.ascontiguousarray(array) for name, array in networks.params.items()}
        ),
        "encoder.onnx": networks.encoder_onnx,
        "decoder.onnx": networks.decoder_onnx,
        "metrics.json": _dump(metrics or {}),
        "README.md": (card or model_card(config, metrics or {})).encode(),
    }
    config["files"] = {name: sha256(data).hexdigest() for name, data in files.items()}
    replace_folder(path, {**files, "config.json": _dump(config)})


def read_bundle(path: Path | str, domain: Domain[Any, Any] | None = None) -> Bundle:
    """Read and validate a bundle.

    Args:
        path: the folder.
        domain: that it must belong to; any if None.

    Raises:
        InputError: it is missing, damaged, of another domain, or its features differ from those
            that the domain has now.
    """
    for attempt in range(ATTEMPTS):
        folder = find_folder(path)
        before = _stamp(folder)
        try:
            return _read(folder, domain)
        except InputError:
            # Whoever replaces the bundle while it is read leaves another folder in its place.
            if attempt == ATTEMPTS - 1 or before == _stamp(find_folder(path)):
                raise
    raise AssertionError("unreachable")


def _stamp(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_ino, found.st_ctime_ns


def _read(folder: Path, domain: Domain[Any, Any] | None) -> Bundle:
    if not folder.is_dir():
        raise InputError(folder, "no such bundle; expected a folder with a config.json")
    config = _json(folder / "config.json", read_bytes(folder / "config.json", MAX_BYTES))
    _check_version(folder, config)
    domain, where = _domain(folder, config, domain), folder / "config.json"
    schema = _schema(where, domain, config.get("graph_schema"))
    files = {name: _verified(folder / name, config) for name in FILES}
    sizes = {key: _size(where, config, key) for key in MAX_SIZES}
    weights = folder / "model.safetensors"
    newer = len(domain.schema.candidate) - len(schema.candidate)
    params = with_newer_columns(_params(weights, files[weights.name]), newer)
    networks = Networks(
        with_limits(params, domain.schema),
        files["encoder.onnx"],
        files["decoder.onnx"],
        **sizes,
    )
    options = _options(where, domain, config.get("simulator_options"))
    metrics = _json(folder / "metrics.json", files["metrics.json"])
    return Bundle(folder, domain, schema, networks, options, config, metrics)


def schema_json(schema: GraphSchema) -> dict[str, Any]:
    """The feature schema as a JSON document."""
    return cast("dict[str, Any]", json.loads(json.dumps(asdict(schema))))


def model_card(config: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """A README that says what the policy is and what it reached."""
    lines = [
        f"# A learned scheduler for the domain `{config['domain']}`",
        "",
        "Written by graphsched. Load it with "
        '`graphsched.agents.runtime.load_policy("<this folder>")`, or name the folder as `--policy`.',
        "",
        f"* Networks: encoder of width {config['width']} with {config['layers']} layers, "
        f"decoder of width {config['decoder_width']}.",
        f"* Trained at commit `{config['git'] or 'unknown'}`, seed {config['seed']}.",
        f"* Simulator options: `{json.dumps(config['simulator_options'])}`.",
        "",
        "## Metrics",
        "",
        "```json",
        json.dumps(metrics, indent=2, sort_keys=True),
        "```",
        "",
        "## Limits",
        "",
        "The policy is a heuristic: its schedules are feasible, without a bound on their distance "
        "from the optimum. Expect less of it far from the sizes and distributions it was trained on.",
        "",
    ]
    return "\n".join(lines)


def _dump(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def _json(path: Path, data: bytes) -> dict[str, Any]:
    try:
        return parse_json(data.decode(), path)
    except UnicodeDecodeError:
        raise InputError(path, "expected a text file, found binary data") from None


def _check_version(folder: Path, config: Mapping[str, Any]) -> None:
    if config.get("schema") != VERSION:
        problem = f"schema {shown(config.get('schema'))}, expected {VERSION}"
        raise InputError(folder / "config.json", problem)


def _domain(
    folder: Path, config: Mapping[str, Any], wanted: Domain[Any, Any] | None
) -> Domain[Any, Any]:
    name = config.get("domain")
    if wanted is None:
        try:
            wanted = get_domain(f"{name:.40}" if isinstance(name, str) else shown(name))
        except InputError as error:
            raise InputError(folder / "config.json", str(error)) from None
    if name != wanted.name:
        raise InputError(folder, f"a bundle of domain {name!r:.40}, expected {wanted.name!r}")
    return wanted


def _schema(where: Path, domain: Domain[Any, Any], document: Any) -> GraphSchema:
    """What the networks were made for: the domain's schema, perhaps without its newest columns."""
    schema = older_schema(domain.schema, document)
    difference = first_difference(document, schema_json(schema))
    if difference:
        raise InputError(where, f"the domain's features have changed: graph_schema{difference}")
    return schema


def _verified(path: Path, config: Mapping[str, Any]) -> bytes:
    data = read_bytes(path, MAX_BYTES)
    sums = config.get("files")
    expected = sums.get(path.name) if isinstance(sums, dict) else None
    if sha256(data).hexdigest() != expected:
        raise InputError(path, "damaged: its checksum differs from the one in config.json")
    return data


def _params(path: Path, data: bytes) -> dict[str, NDArray[Any]]:
    try:
        params = load(data)
    except SafetensorError as error:
        raise InputError(path, f"not a safetensors file ({error!s:.200})") from error
    except (KeyError, TypeError, ValueError):  # a type that numpy doesn't have
        raise InputError(path, "expected parameters of numpy's types") from None
    if not any(name.startswith("decoder.") for name in params):
        raise InputError(path, "no decoder.* parameters")
    bad = [name for name, array in params.items() if not np.isfinite(array).all()]
    if bad:
        raise InputError(path, f"parameter {bad[0]:.60} is not finite")
    return params


def _size(where: Path, config: Mapping[str, Any], key: str) -> int:
    value, most = config.get(key), MAX_SIZES[key]
    if type(value) is not int or not 0 <= value <= most:
        problem = f"expected a whole number, {most} at most, found {shown(value)}"
        raise InputError(where, f"{key}: {problem}")
    return value


def _options(where: Path, domain: Domain[Any, Any], document: Any) -> Any:
    if not isinstance(document, dict):
        raise InputError(where, "simulator_options: expected a JSON object")
    try:
        return domain.options(**document)
    except (TypeError, InputError) as error:
        raise InputError(where, f"simulator_options: {error!s:.200}") from None
