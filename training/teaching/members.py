"""Several decoders as one: their logits' mean, computed side by side in one wider network.

Networks that were fitted to the same teacher from different starts err differently, and their mean
errs less than each. As parts of one decoder, whose weights between different members are zero,
they can be exported, deployed and trained on like any other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from graphsched.agents.learning.policy import GraphPolicy
from graphsched.training.teaching.clone import clone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from graphsched.agents.networks.decoder import Decoder
    from graphsched.training.settings.config import TeacherConfig
    from graphsched.training.teaching.replay import Examples

MEMBER_STREAM = 0x6D656D  # sets their first weights apart from other streams


def clone_members(
    policy: GraphPolicy,
    examples: Examples,
    config: TeacherConfig,
    seed: int,
    watch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> list[float]:
    """As `clone`, with several members that share the policy's decoder.

    Args:
        policy: without embeddings, of a decoder as wide as its members together.
        examples: of the teacher.
        config: how, and how many members.
        seed: of first weights and of the order of the examples.
        watch: told of all members' epochs, numbered on.

    Returns:
        Mean cross-entropy of each epoch, member after member.
    """
    if config.members == 1:
        return clone(policy, examples, config, seed, watch)
    single = replace(config, members=1)
    members: list[Decoder] = []
    losses: list[float] = []
    for number in range(config.members):
        member = _member(policy, config.members, seed + number)
        begun = len(losses)
        losses += clone(
            member,
            examples,
            single,
            seed + number,
            lambda epoch, loss, begun=begun: watch(begun + epoch, loss),  # type: ignore[misc]
        )
        members.append(member.decoder)
    merge(members, policy.decoder)
    return losses


def _member(policy: GraphPolicy, count: int, seed: int) -> GraphPolicy:
    """A new policy with a share of the decoder's width."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed ^ MEMBER_STREAM)
        return GraphPolicy(
            policy.observation_space,
            policy.action_space,
            lambda _: 0.0,
            width=policy.width,
            layers=policy.layers,
            decoder_width=policy.decoder_width // count,
            embeddings=False,
            linear_only=policy.linear_only,
            blind=policy.blind,
        ).to(policy.device)


@torch.no_grad()
def merge(members: Sequence[Decoder], into: Decoder) -> None:
    """Fill a decoder so that its logits and values are the means of those of its members.

    Args:
        members: without weights for embeddings.
        into: as wide as all of them together.
    """
    for weight in into.parameters():
        weight.zero_()
    for ends, same in zip(into.buffers(), members[0].buffers(), strict=True):
        ends.copy_(same)  # of the same examples
    count, width = len(members), members[0].width
    for number, member in enumerate(members):
        own = slice(number * width, (number + 1) * width)
        into.candidate_in.weight[own] = member.candidate_in.weight
        into.candidate_kind.weight[:, own] = member.candidate_kind.weight
        into.context_kind.weight[:, own] = member.context_kind.weight
        if into.resource_in is not None and member.resource_in is not None:
            into.resource_in.weight[own] = member.resource_in.weight
            into.resource_in.bias[own] = member.resource_in.bias
        first = len(into.schema.context)
        into.context_in.weight[own, :first] = member.context_in.weight[:, :first]
        pools = 4 if into.resource_in is not None else 2
        _blocks(
            into.context_in.weight[own, first:], member.context_in.weight[:, first:], pools, own
        )
        roles = member.score_in.in_features // width
        _blocks(into.score_in.weight[own], member.score_in.weight, roles, own)
        for wide, narrow in (
            (into.score_context, member.score_context),
            (into.value_in, member.value_in),
        ):
            wide.weight[own, own] = narrow.weight
            wide.bias[own] = narrow.bias
        into.score_out.weight[:, own] = member.score_out.weight / count
        into.value_out.weight[:, own] = member.value_out.weight / count
        into.linear_out.weight.add_(member.linear_out.weight, alpha=1.0 / count)
        into.value_out.bias.add_(member.value_out.bias, alpha=1.0 / count)


def _blocks(wide: Tensor, narrow: Tensor, number: int, own: slice) -> None:
    """Columns of so many parts, each of all members' widths, from parts of one member's.

    Both matrices may have further columns behind the parts.
    """
    width = own.stop - own.start
    step = (wide.shape[1] - narrow.shape[1]) // number + width
    for part in range(number):
        columns = slice(part * step + own.start, part * step + own.stop)
        wide[:, columns] = narrow[:, part * width : (part + 1) * width]
