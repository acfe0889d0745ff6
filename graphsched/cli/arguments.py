"""Words of the command line into frozen dataclasses; what is wrong with them in one line."""

from __future__ import annotations

import contextlib
import io
import tomllib
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import tyro

from graphsched.agents.decoding.options import Ahead
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.arguments import refuse_empty, refuse_repeated
from graphsched.envs.core.parts.reading import parse_toml
from graphsched.eval.solvers.words import check_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ArgumentsT = TypeVar("ArgumentsT")
NumberT = TypeVar("NumberT", int, float)
FRAME = "│╭╮╰╯─"
DomainWord = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DOMAIN")]
InstanceWord = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="INSTANCE")]
# What belongs to --rollouts, see `ahead`.
Futures = Annotated[
    int,
    tyro.conf.arg(
        help="Rollouts of each candidate; arrivals and execution times are drawn anew for each."
    ),
]
Horizon = Annotated[
    float | None,
    tyro.conf.arg(
        metavar="SPANS",
        help="Length of a rollout: decisions, or in streams of jobs least paths of a job; by default "
        "it goes on to the end.",
    ),
]
Margin = Annotated[
    float,
    tyro.conf.arg(
        help="By which another candidate must be better than the policy's own: of reward, or in "
        "streams a share of the usual cost."
    ),
]
RolloutMs = Annotated[
    float | None,
    tyro.conf.arg(metavar="MS", help="Processor time of a decision's rollouts, ms."),
]


def parse(kind: type[ArgumentsT], argv: Sequence[str], command: str) -> ArgumentsT:
    """Arguments of a command.

    An option of several values may be repeated; of one value it may not.

    Raises:
        InputError: they are wrong.
        SystemExit: help was asked for and printed.
    """
    refuse_empty(argv)
    argv = _gathered(kind, argv)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(kind, args=list(argv), prog=f"graphsched {command}")
    except SystemExit as stop:
        if not stop.code:
            raise
        raise InputError(command, _gist(complaint.getvalue())) from None


def _gathered(kind: type[Any], argv: Sequence[str]) -> list[str]:
    """Values of a repeated option behind its first occurrence, or only the last would count."""
    several = {_option(f.name) for f in fields(kind) if "tuple" in str(f.type)}
    known = {_option(f.name) for f in fields(kind)}
    refuse_repeated(argv, known - several)
    current: list[str] = []
    groups, first = [current], {}
    for word in argv:
        name, equals, value = word.partition("=")
        if name not in known:
            current.append(word)
        elif name in several:
            if name not in first:
                first[name] = [name]
                groups.append(first[name])
            current = first[name]
            current += [value] if equals else []
        else:
            current = first[name] = [word]
            groups.append(current)
    return [word for group in groups for word in group]


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _gist(box: str) -> str:
    """The sentence in a framed complaint: what stands above its first rule."""
    lines = [line.strip(f"{FRAME} ") for line in box.splitlines()[1:]]
    ruled = [i for i, line in enumerate(lines) if not line]
    told = lines[: ruled[0]] if ruled else lines
    return " ".join(told) or "arguments not understood; see --help"


def numbers(
    option: str, text: str, kind: Callable[[str], NumberT], least: NumberT
) -> list[NumberT]:
    """Comma-separated numbers of at least ``least``; raises InputError naming the option."""
    out = []
    for word in text.split(","):
        try:
            value = kind(word)
        except ValueError:
            value = None
        if value is None or not least <= value < float("inf"):
            what = "whole numbers" if kind is int else "numbers"
            raise InputError(option, f"expected {what} of at least {least}, found {word!r:.40}")
        out.append(value)
    return list(dict.fromkeys(out))


def time_limits(option: str, text: str | None) -> list[float]:
    """Comma-separated seconds, none of nothing; raises InputError naming the option."""
    if text is None:
        return []
    return [check_limit(option, seconds) for seconds in numbers(option, text, float, 0.0)]


def ahead(arguments: Any, rollouts: int) -> Ahead | None:
    """How a policy tries so many candidates; None where there are none to try.

    Args:
        arguments: of a command with options futures, horizon, margin and rollout_ms.
        rollouts: candidates.

    Raises:
        InputError: an option is out of its range, be there rollouts or not.
    """
    how = Ahead(
        rollouts or 1,
        arguments.futures,
        arguments.horizon,
        arguments.margin,
        arguments.rollout_ms,
    )
    return how if rollouts else None


def put_change(table: dict[str, Any], change: str) -> None:
    """Enter ``a.b=value``, as `--set` takes it, into nested tables; raises InputError."""
    key, equals, text = change.partition("=")
    *tables, name = key.strip().split(".")
    if not equals or not name:
        raise InputError(f"--set {change!r:.60}", "expected KEY=VALUE")
    try:
        given = parse_toml(f"value = {text}", f"--set {key:.60}")
    except tomllib.TOMLDecodeError:
        given = {"value": text}  # a bare word
    value = given["value"] if len(given) == 1 else text  # a line break may bring other keys
    for part in tables:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise InputError(f"--set {change!r:.60}", f"{part!r} is a value, not a table")
    table[name] = value
