"""Configuration of a training run: frozen dataclasses, presets, TOML files and overrides."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - read at run time by `read_dataclass`
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal

from graphsched.agents.bundles.shapes import MAX_LAYERS, MAX_WIDTH
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import read_toml
from graphsched.envs.core.parts.values import shown
from graphsched.envs.core.registry import get_domain
from graphsched.training.settings.documents import check_key, read_dataclass, write_dataclass
from graphsched.training.settings.places import with_places
from graphsched.training.settings.start import refuse_contradictions, with_start

# Far above what is of use, and far below what a machine chokes on.
MOST_SLOTS = 2**16
MOST = 10**6  # of what is repeated: epochs, steps, instances
MOST_STEPS = 2**62
MOST_MINUTES = 10**7  # nineteen years
LARGEST_SEED = 2**32 - 1  # that numpy's older streams take, which Stable-Baselines3 seeds
DEVICES = re.compile(r"auto|cpu|cuda(:[0-9]{1,3})?")

ScheduleName = Literal["constant", "linear", "cosine", "rex", "refined"]


def _check(condition: bool, name: str, value: object, expected: str) -> None:
    if not condition:
        raise InputError(name, f"expected {expected}, found {shown(value)}")


def _at_least(config: object, **minima: float) -> None:
    for name, minimum in minima.items():
        value = getattr(config, name)
        _check(value is None or value >= minimum, name, value, f"at least {minimum:g}")


def _at_most(config: object, **maxima: float) -> None:
    for name, maximum in maxima.items():
        value = getattr(config, name)
        _check(value is None or value <= maximum, name, value, f"at most {maximum:,}")


def _fractions(config: object, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        _check(value is None or 0.0 <= value <= 1.0, name, value, "a number in [0, 1]")


def _weights(name: str, weights: Mapping[str, float]) -> None:
    good = bool(weights) and min(weights.values()) >= 0 and max(weights.values()) > 0
    _check(good, name, dict(weights), "weights >= 0, not all zero, by kind of instance")


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the networks.

    Attributes:
        width: of the encoder's embeddings.
        layers: message rounds of the encoder.
        decoder_width: of the decoder.
        embeddings: whether the decoder sees the embeddings of the static graph; without them the
            encoder is left alone, and an update takes a fraction of the time.
        linear_only: judge candidates by the linear part alone, whose rule is then learned.
        linear_rule: file of a linear rule, as ``graphsched tune`` writes it, that the policy
            starts from instead of indifference; relative to the domain's presets.
        hidden_rule: file of rules with one hidden layer, of the domain's own format, that the policy
            starts from instead; takes as many units of the decoder as they have together.
        linear_scale: multiplies the linear rule's weights: the larger, the surer of itself it starts.
        blind: columns of candidates that the decoder doesn't see, to tell what they are worth.
    """

    width: int = 32
    layers: int = 3
    decoder_width: int = 32
    embeddings: bool = True
    linear_only: bool = False
    linear_rule: str | None = None
    hidden_rule: str | None = None
    linear_scale: float = 1.0
    blind: tuple[str, ...] = ()

    @property
    def rule(self) -> str | None:
        """File of the rule that the policy starts from."""
        return self.linear_rule if self.hidden_rule is None else self.hidden_rule

    def __post_init__(self) -> None:
        """Validate."""
        _check(self.linear_scale > 0, "linear_scale", self.linear_scale, "a positive number")
        both = self.linear_rule is not None and self.hidden_rule is not None
        _check(not both, "hidden_rule", self.hidden_rule, "none beside a linear_rule")
        _at_least(self, width=1, layers=0, decoder_width=1)
        _at_most(self, width=MAX_WIDTH, layers=MAX_LAYERS, decoder_width=MAX_WIDTH)


@dataclass(frozen=True)
class PPOConfig:
    """How rollouts are collected and what is learned from them.

    Attributes:
        instances_per_rollout, rollouts_per_instance: their product is the number of slots.
        mode, steps_per_rollout, time_unit, baseline, normalize_groups, label_coef, split: see
            `graphsched.agents.learning.ppo.RolloutOptions`; the steps are decisions of a slot in mode
            ``steps``.
        n_epochs, batch_size, num_minibatches: passes over a rollout and decisions in a minibatch,
            or the number of minibatches instead.
        learning_rate, lr_schedule, lr_warmup, lr_floor: peak rate, its course over the budget, the
            share of the budget that it rises in, and its least share of the peak.
        lr_table: course of the learning rate for schedule ``refined``, at equal distances.
        clip_range, max_grad_norm, vf_coef, gae_lambda, target_kl: as in Stable-Baselines3.
        ent_coef, ent_schedule, ent_floor: weight of the entropy, its course, and its least value.
        sharpen: factor of the logits that a run begins with. A policy that imitated, or the greedy
            rule that a run starts as, doesn't depend on how sure it is of itself; what it samples
            and learns from does.
        gamma: discount.
        gamma_start: if set, the discount starts here and is raised to `gamma` whenever the return
            has stopped improving.
        ema_decay: of the weight average that is validated and exported; 0 uses the weights.
    """

    instances_per_rollout: int = 8
    rollouts_per_instance: int = 16
    mode: Literal["episodes", "steps"] = "episodes"
    steps_per_rollout: int = 256
    time_unit: float | None = None
    baseline: Literal["value", "group", "both", "decision"] = "group"
    normalize_groups: bool = True
    label_coef: float = 0.0
    split: Literal["decisions", "instances"] = "decisions"
    n_epochs: int = 2
    batch_size: int = 4096
    num_minibatches: int | None = 4
    learning_rate: float = 2e-3
    lr_schedule: ScheduleName = "linear"
    lr_warmup: float = 0.0
    lr_floor: float = 0.02
    lr_table: tuple[float, ...] = ()
    clip_range: float = 0.2
    max_grad_norm: float = 1.0
    vf_coef: float = 0.5
    gae_lambda: float = 0.98
    target_kl: float | None = None
    ent_coef: float = 0.005
    ent_schedule: Literal["constant", "linear", "cosine", "rex"] = "linear"
    ent_floor: float = 0.001
    sharpen: float = 1.0
    gamma: float = 1.0
    gamma_start: float | None = None
    ema_decay: float = 0.99

    def __post_init__(self) -> None:
        """Validate."""
        counts = ("instances_per_rollout", "rollouts_per_instance", "steps_per_rollout")
        _at_least(self, **dict.fromkeys((*counts, "n_epochs", "batch_size", "num_minibatches"), 1))
        _at_least(self, label_coef=0, ent_coef=0, ent_floor=0, vf_coef=0, max_grad_norm=0)
        _at_most(self, steps_per_rollout=MOST, n_epochs=MOST, num_minibatches=MOST)
        slots = f"at most {MOST_SLOTS:,} slots, a product with rollouts_per_instance"
        good = self.num_slots <= MOST_SLOTS
        _check(good, "instances_per_rollout", self.instances_per_rollout, slots)
        _fractions(self, "lr_warmup", "lr_floor", "gamma", "gamma_start", "gae_lambda", "ema_decay")
        _check(self.learning_rate > 0, "learning_rate", self.learning_rate, "a positive number")
        _check(self.clip_range > 0, "clip_range", self.clip_range, "a positive number")
        _check(0 < self.sharpen <= 1e3, "sharpen", self.sharpen, "a positive number, at most 1000")
        _check(self.ema_decay < 1, "ema_decay", self.ema_decay, "a number in [0, 1)")
        if self.gamma_start is not None:
            good = self.gamma_start <= self.gamma < 1
            _check(good, "gamma_start", self.gamma_start, f"at most gamma ({self.gamma}), below 1")
        if self.lr_schedule == "refined":
            _check(len(self.lr_table) > 1, "lr_table", self.lr_table, "the refined schedule")

    @property
    def num_slots(self) -> int:
        """Parallel episodes."""
        return self.instances_per_rollout * self.rollouts_per_instance


@dataclass(frozen=True)
class TeacherConfig:
    """Whom a run imitates before it learns from its own rollouts.

    Attributes:
        data: folders that ``graphsched teach`` wrote; none: the run has no teacher.
        epochs: passes over their decisions.
        batch_size: decisions in a minibatch.
        learning_rate, weight_decay: of AdamW; the rate falls to zero along a cosine.
        members: networks that are fitted one after the other and share the decoder's width; their
            mean is what the run goes on with. More than one need a network without embeddings; a
            run that starts from a bundle fits that alone.
        average: decay per step of the average over the later half of the weights, which is kept.
        pull: weight of the cross-entropy towards the action taken, where candidates were tried out:
            without it, what looks free one step at a time (waiting, say) adds up.
        clip: deviations from the mean of a column beyond which the hidden layers see it clipped, as
            they do beyond all that the examples show; 0: nowhere.
        coef: weight of the cross-entropy towards the teacher while the policy learns from its own
            rollouts; falls to zero over the first `fade` of the budget.
        fade: share of the budget.
    """

    data: tuple[str, ...] = ()
    epochs: int = 8
    batch_size: int = 512
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    members: int = 1
    average: float = 0.995
    pull: float = 0.12
    clip: float = 4.0
    coef: float = 0.0
    fade: float = 0.5

    def __post_init__(self) -> None:
        """Validate."""
        _at_least(self, epochs=1, batch_size=1, weight_decay=0, members=1, pull=0, clip=0, coef=0)
        _fractions(self, "fade")
        _at_most(self, epochs=MOST, batch_size=MOST)
        _check(self.learning_rate > 0, "learning_rate", self.learning_rate, "a positive number")
        _check(0 <= self.average < 1, "average", self.average, "a number in [0, 1)")


@dataclass(frozen=True)
class ValidationConfig:
    """What a run is judged by while it goes on: instances of its own.

    Attributes:
        instances: weight of each kind of instance, as in `TrainConfig`; empty takes those of
            training.
        count: instances of each kind that is drawn at random; of files and the library all count.
        held_out: share of the files' and the library's instances that are for validation alone
            where training names them as well; which ones is decided by a hash of each.
        seed: of their stream, which is disjoint from every training stream.
        every: share of the budget between validations.
        samples: sampled runs of each instance besides the greedy one; 0 judges by greedy alone,
            otherwise the mean over both kinds decides which weights are best.
    """

    instances: Mapping[str, float] = field(default_factory=dict)
    count: int = 8
    held_out: float = 0.2
    seed: int = 0
    every: float = 0.04
    samples: int = 0

    def __post_init__(self) -> None:
        """Validate."""
        _at_least(self, count=1, seed=0, samples=0)
        _at_most(self, count=MOST, seed=LARGEST_SEED, samples=MOST)
        _check(0 < self.every <= 1, "every", self.every, "a share in (0, 1]")
        _check(0 < self.held_out < 1, "held_out", self.held_out, "a share in (0, 1)")
        if self.instances:
            _weights("instances", self.instances)


@dataclass(frozen=True)
class Stage:
    """From a point of the budget on, other training instances.

    Attributes:
        start: share of the budget at which the stage begins.
        instances: weight of each kind of instance, as in `TrainConfig`.
    """

    REQUIRED: ClassVar = ("start", "instances")
    start: float
    instances: Mapping[str, float]

    def __post_init__(self) -> None:
        """Validate."""
        _fractions(self, "start")
        _weights("instances", self.instances)


@dataclass(frozen=True)
class TrainConfig:
    """Everything that determines a training run.

    Attributes:
        domain, preset: what is trained, and the preset that this grew from.
        seed: of all random streams of training.
        minutes, steps: budget of wall-clock time, of decisions, or both: the first to run out.
            No steps at all leave what was learned from teachers, or what the run began with.
        simulator: options of the domain's simulator.
        instances: weight of each kind of training instance. A kind is GENERATOR:SIZE, or else what
            `envs.core.specs.parse_instances` reads: files, folders, sets and names of the library.
            Relative paths start at the folder of the file that they are written in, and at the
            working directory if they aren't written in one; a run keeps absolute ones.
        curriculum: stages that replace them later on.
        network, teacher, ppo, validation: see there.
        checkpoint_every: share of the budget between checkpoints.
        device: ``auto``, ``cpu``, ``cuda``.
        out: folder of the run; chosen under ``runs/`` if None.
        threads: of torch on the CPU.
        own: what the run found of files and the library, see `training.own.Pools`; set by it.
        init: bundle, or name of a shipped policy, whose weights the run starts from. Its sizes of
            networks and its simulator options are the run's, and there is no linear rule. A path
            as in `instances`.
        init_record: what `init` was: name, sha256 of the weights, core-hours; set by the run.
    """

    REQUIRED: ClassVar = ("domain",)
    domain: str
    preset: str = "default"
    seed: int = 0
    minutes: float | None = None
    steps: int | None = None
    simulator: Mapping[str, Any] = field(default_factory=dict)
    instances: Mapping[str, float] = field(default_factory=lambda: {"toy:": 1.0})
    curriculum: tuple[Stage, ...] = ()
    network: NetworkConfig = field(default_factory=NetworkConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    checkpoint_every: float = 0.02
    device: str = "auto"
    out: str | None = None
    threads: int = 1
    own: Mapping[str, Any] = field(default_factory=dict)
    init: str | None = None
    init_record: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Validate."""
        _at_least(self, seed=0, threads=1, steps=0)
        _at_most(self, seed=LARGEST_SEED, threads=1024, steps=MOST_STEPS, minutes=MOST_MINUTES)
        good = DEVICES.fullmatch(self.device) is not None
        _check(good, "device", self.device, "auto, cpu, cuda or cuda:NUMBER")
        _weights("instances", self.instances)
        members, width = self.teacher.members, self.network.decoder_width
        fits = width % members == 0 and not self.network.embeddings
        good = members == 1 or not self.teacher.data or self.init is not None or fits
        expected = f"1, or a divisor of network.decoder_width ({width}) without network.embeddings"
        _check(good, "teacher.members", members, expected)
        if self.minutes is not None:
            _check(self.minutes > 0, "minutes", self.minutes, "a positive number")
        good = 0 < self.checkpoint_every <= 1
        _check(good, "checkpoint_every", self.checkpoint_every, "a share in (0, 1]")

    def to_dict(self) -> dict[str, Any]:
        """JSON document that `from_dict` reads back."""
        document: dict[str, Any] = write_dataclass(self)
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], where: str = "config") -> TrainConfig:
        """Inverse of `to_dict`; raises InputError naming ``where`` and the key."""
        return read_dataclass(cls, document, where)

    def simulator_options(self) -> Any:
        """The domain's simulator options; raises InputError for unknown ones."""
        columns = [feature.name for feature in get_domain(self.domain).schema.candidate]
        for name in self.network.blind:
            check_key(name, columns, "config", "network.blind")
        options = get_domain(self.domain).options
        known = [f.name for f in fields(options)]
        for name in self.simulator:
            check_key(name, known, "config", "simulator")
        return options(**self.simulator)


def load_config(
    domain: str,
    preset: str | None = None,
    file: Path | str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> TrainConfig:
    """Configuration from the domain's preset, then a TOML file, then overrides; later ones win.

    Args:
        domain: name of the domain.
        preset: name of a ``[train.NAME]`` table of the domain's presets; ``default`` if None and
            the file names none.
        file: TOML with the fields of `TrainConfig`.
        overrides: the same as a nested mapping.

    Raises:
        InputError: unknown domain, preset or key, or a bad value; names file and key.
    """
    given = read_toml(Path(file)) if file is not None else {}
    where = str(file) if file is not None else "config"
    named = given.get("domain", domain)
    _check(named == domain, f"{where}: domain", named, repr(domain))
    if preset is None:
        preset = given.get("preset", "default")
    good = isinstance(preset, str) and bool(preset)
    _check(good, f"{where}: preset", preset, "the name of a preset")
    base = _preset(domain, preset)
    given = with_places(given, get_domain(domain), Path(where).parent)
    overrides = with_places(overrides or {}, get_domain(domain), Path())
    merged = merge(base, {**given, "domain": domain, "preset": preset})
    # One reading for each layer, so that an error names the layer that it is in.
    read_dataclass(TrainConfig, merged, where)
    if overrides:
        merged = merge(merged, overrides)
    config = read_dataclass(TrainConfig, merged, "options" if overrides else where)
    if config.init is not None:
        config = with_start(config)
        refuse_contradictions(config, {where: given, "options": overrides})
    config.simulator_options()
    return config


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested tables merged; a table of instances and a budget are replaced as a whole."""
    out = dict(base)
    if {"minutes", "steps"} & set(changes):
        out.pop("minutes", None)
        out.pop("steps", None)
    for name, value in changes.items():
        both = isinstance(value, dict) and isinstance(out.get(name), dict)
        out[name] = merge(out[name], value) if both and name != "instances" else value
    return out


def _preset(domain: str, preset: str) -> dict[str, Any]:
    file = get_domain(domain).presets
    presets = read_toml(file).get("train", {})
    if preset not in presets:
        known = ", ".join(presets) or "none"
        raise InputError(f"preset {preset!r:.40}", f"not one of those of {domain}: {known}")
    table: dict[str, Any] = with_places(presets[preset], get_domain(domain), file.parent)
    read_dataclass(TrainConfig, {**table, "domain": domain}, f"{file} [train.{preset}]")
    return table
