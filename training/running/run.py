"""The moving parts of one training run, shared by its callbacks."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, cast

from graphsched.envs.core.registry import get_domain
from graphsched.training.averaging import weight_average
from graphsched.training.instances import InstanceSource
from graphsched.training.model import build_model, set_threads
from graphsched.training.own import check_record, own_pools, record_in_words
from graphsched.training.running.cost import machine_of
from graphsched.training.running.judged import Judged
from graphsched.training.settings.budget import Budget
from graphsched.training.settings.schedules import AutomaticDiscount
from graphsched.training.validation import Scores, Validation

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from graphsched.agents.learning.policy import GraphPolicy
    from graphsched.training.settings.config import TrainConfig

_log = logging.getLogger("graphsched")


class Run:
    """A run in memory: the learner and all that surrounds it.

    Attributes:
        history: one row for each validation; see `add_scores`.
        best_score, best_weights: of the best validation so far.
        judged: what validations found for each instance, to be compared in pairs.
        gradient_norms: mean L1 norm of the gradients of each update, for `schedules.refine`.
        discount: state of the rising discount; None if it is fixed.
        steps: decisions that the weights have learned from.
        updates_seen: gradient epochs that the average and the records know of.
        machine: that it runs on, in words.
        stopped: nothing that is collected from now on is learned from.
        interrupted: a signal asked for that, not the budget.
    """

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        """Build everything anew; raises InputError if the configuration doesn't fit the domain."""
        set_threads(config)
        self.domain = get_domain(config.domain)
        pools = own_pools(self.domain, config)
        check_record(config.own, pools.record, folder)
        if pools.record:
            _log.info("instances of files and the library: %s", record_in_words(pools.record))
        config = replace(config, own=pools.record)
        self.config, self.folder = config, folder
        self.budget = Budget(config.minutes, config.steps)
        self.source = InstanceSource(
            self.domain, config.instances, config.curriculum, pools.training
        )
        self.model = build_model(config, self.domain, self.source, self.budget.time_share)
        self.average = weight_average(self.model.policy, config.ppo.ema_decay)
        checks = config.validation
        self.validation = Validation(
            self.domain,
            config.simulator_options(),
            checks.instances or config.instances,
            checks.count,
            checks.seed,
            checks.samples,
            pools.validation,
        )
        self.judged = Judged(self.validation.kinds, self.validation.rules)
        start = config.ppo.gamma_start
        self.discount = AutomaticDiscount(start, config.ppo.gamma) if start is not None else None
        self.history: list[dict[str, Any]] = []
        self.best_score = math.inf
        self.best_weights: dict[str, torch.Tensor] = {}
        self.gradient_norms: list[float] = []
        self.pending_norms: list[float] = []
        self.steps = 0
        self.updates_seen = 0
        self.next_validation = self.next_checkpoint = 0.0
        self.machine = machine_of(self.model.device)
        self.stopped = self.interrupted = False

    def progress(self) -> float:
        """Used share of the budget."""
        return self.budget.progress(self.model.num_timesteps)

    def judge_start(self) -> None:
        """Judge what the run knows before its teachers, if that is anything: a rule or a bundle.

        By its greedy decisions alone, since how sure a rule is of itself is set by hand.
        """
        if self.config.init is not None or self.config.network.rule is not None:
            self.judged.start = self.validation.greedy(self.model.policy)

    def validate(self) -> tuple[Scores, bool]:
        """Judge the averaged weights and remember them if they are the best.

        Returns:
            The scores, and whether they are the best so far.
        """
        policy = cast("GraphPolicy", self.average.module)
        policy.set_training_mode(False)
        scores, relative = self.validation.judge(policy, self.judged.best)
        best = scores.score < self.best_score
        self.judged.add(relative, first=not self.history, best=best)
        if best:
            self.best_score = scores.score
            weights = policy.state_dict()
            self.best_weights = {k: v.detach().cpu().clone() for k, v in weights.items()}
        self.add_scores(scores)
        return scores, best

    def add_scores(self, scores: Scores) -> None:
        """Append a row: minutes, steps, the scores and the best rule's gap."""
        row = {
            "minutes": round(self.budget.elapsed_s / 60.0, 4),
            "steps": self.steps,
            **asdict(scores),
            "best_rule_gap_pct": self.validation.best_rule_gap_pct,
        }
        self.history.append(row)
