"""A run that starts from a bundle: what the bundle dictates, and what it is remembered by."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from graphsched.agents.bundles.bundle import read_bundle
from graphsched.agents.bundles.shipped import find_policy
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.values import shown
from graphsched.envs.core.registry import get_domain
from graphsched.training.settings.documents import check_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphsched.agents.bundles.bundle import Bundle
    from graphsched.training.settings.config import TrainConfig

SIZES = ("width", "layers", "decoder_width")
RULE = ("linear_rule", "hidden_rule", "linear_scale")


def open_start(config: TrainConfig) -> Bundle:
    """The bundle that a configuration names as `init`; raises InputError as `read_bundle` does."""
    domain = get_domain(config.domain)
    return read_bundle(find_policy(domain.name, str(config.init)), domain)


def record_of(bundle: Bundle) -> dict[str, Any]:
    """Name, checksum of the weights and, if known, how long they took to learn and from whom."""
    record: dict[str, Any] = {
        "name": bundle.name,
        "sha256": bundle.config["files"]["model.safetensors"],
    }
    cost = bundle.metrics.get("cost")
    hours = cost.get("core_hours") if isinstance(cost, dict) else None
    if isinstance(hours, int | float) and not isinstance(hours, bool):
        record["core_hours"] = float(hours)
    teachers = bundle.metrics.get("teachers")
    if isinstance(teachers, list) and teachers:
        record["teachers"] = teachers
    return record


def with_start(config: TrainConfig) -> TrainConfig:
    """The configuration with the sizes and simulator options of its start, and a record of it.

    One that has the record already stays as it is, wherever the bundle may be by now.
    """
    if config.init_record:
        return config
    bundle = open_start(config)
    sizes = {name: getattr(bundle.networks, name) for name in SIZES}
    trained = bundle.config.get("training", {}).get("network", {})
    sizes["embeddings"] = trained.get("embeddings", True) is not False
    return replace(
        config,
        network=replace(
            config.network, **sizes, linear_rule=None, hidden_rule=None, linear_scale=1.0
        ),
        simulator=asdict(bundle.simulator_options),
        init_record=record_of(bundle),
    )


def refuse_contradictions(config: TrainConfig, layers: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises InputError where somebody asks for what the start of the run can't have.

    Args:
        config: by `with_start`.
        layers: what was asked for, by the file or option that it is from; presets aren't asked for.
    """
    for where, asked in layers.items():
        network = asked.get("network", {})
        for name in RULE:
            if network.get(name) is not None:
                problem = "expected none in a run that starts from a bundle (init), found "
                raise InputError(where, f"network.{name}: {problem}{shown(network[name])}")
        for name in asked.get("simulator", {}):
            check_key(name, list(config.simulator), where, "simulator")
        fixed = {name: getattr(config.network, name) for name in (*SIZES, "embeddings")}
        for table, given, values in (
            ("network", network, fixed),
            ("simulator", asked.get("simulator", {}), config.simulator),
        ):
            for name in given.keys() & values.keys():
                if given[name] != values[name]:
                    problem = f"expected {values[name]}, as {config.init} has that the run starts"
                    found = f"{problem} from, found {shown(given[name])}"
                    raise InputError(where, f"{table}.{name}: {found}")
