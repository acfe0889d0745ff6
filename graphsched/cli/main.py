"""The command line: finds the command, runs it, and turns errors into one line and a status.

Status 0: done; 1: done, and the answer is no (an infeasible solution, say); 2: bad input;
130: interrupted, 143: terminated.
"""

from __future__ import annotations

import difflib
import importlib
import io
import logging
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from graphsched import __version__
from graphsched.cli.commands import INTERRUPTED
from graphsched.cli.signals import ended_by_signals
from graphsched.envs.core.errors import InputError, Interrupted
from graphsched.envs.core.extras import EXTRAS, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BAD_INPUT = 2
COMMANDS = {
    "list": ("list", "domains, instance sets, generators, baselines and shipped policies"),
    "train": ("train", "train a policy and export it"),
    "eval": ("evaluate", "hold policies against baselines and write a report"),
    "solve": ("solve", "solve one instance with a policy or a baseline"),
    "check": ("check", "check a solution against every rule of its domain"),
    "export": ("export", "turn a training run into a bundle to share"),
    "bench": ("bench", "measure throughput on this machine"),
    "demo": ("demo", "train, evaluate, export and solve in a few minutes"),
    "compile": ("compile", "compile the kernels of this machine ahead of their first use"),
    "tune": (
        "tune.command",
        "fit a linear rule, or the knobs of a baseline, on validation instances",
    ),
    "teach": ("teach.command", "write down what a solver decides, for policies to learn from"),
    "attack": ("attack", "search instances on which one solver is worst against another"),
    "allocate": ("allocate", "place buffers of known lifetimes into one memory"),
    "costs": ("costs", "every solver on the named instances, to hold changes against"),
}


def usage() -> str:
    """The page of ``graphsched --help``."""
    lines = [f"graphsched {__version__}: train, judge and ship learned schedulers", ""]
    lines += ["usage: graphsched COMMAND ...", ""]
    lines += [f"  {name:<9}{summary}" for name, (_, summary) in COMMANDS.items()]
    lines += ["", "graphsched COMMAND --help tells the options of a command."]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    _prepare_streams()
    _show_log()
    return _told(_status(words))


def _status(words: list[str]) -> int:
    try:
        with ended_by_signals():
            _check_text(words)
            return _run(words)
    except InputError as error:
        return _complain(str(error))
    except BrokenPipeError:  # whoever read the output has left: nothing to tell
        _drop(sys.stdout)
        return 0
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in EXTRAS:
            raise
        return _complain(missing(module))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _complain(f"{place}{error.strerror or error}")
    except KeyboardInterrupt as stop:
        _say("graphsched: interrupted")
        return stop.status if isinstance(stop, Interrupted) else INTERRUPTED
    except SystemExit as stop:  # a command's help, or its parser's own complaint
        return stop.code if isinstance(stop.code, int) else 0


def _told(status: int) -> int:
    """The status, once all that was printed is out; a full disk is told, not a reader that left."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout)
    except OSError as error:
        _drop(sys.stdout)
        if status != BAD_INPUT:  # of which a line has told already, maybe of this very output
            return _complain(f"standard output: {error.strerror or error}")
    return status


def _drop(stream: TextIO) -> None:
    """Let what is left of a stream go nowhere, or Python fails to write it out at its end."""
    with suppress(OSError, ValueError):  # what stands in for a stream has no number
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _say(line: str) -> None:
    """Print a line on the error stream, if that leads anywhere."""
    try:
        print(line, file=sys.stderr)
    except OSError:
        _drop(sys.stderr)


def _check_text(words: Sequence[str]) -> None:
    """Names that aren't UTF-8 could be neither shown nor written into results."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise InputError(ascii(word), "expected UTF-8") from None


class _Screen(logging.Handler):
    """Lines on the error stream, wherever that leads at the moment: above a progress bar, say."""

    def emit(self, record: logging.LogRecord) -> None:
        _say(self.format(record))


def _show_log() -> None:
    """Show what the package logs, unless the caller of `main` has seen to it."""
    log = logging.getLogger("graphsched")
    if not log.handlers:
        log.addHandler(_Screen())
        log.setLevel(logging.INFO)


def _prepare_streams() -> None:
    """Give closed ones a place to write to; have letters that an encoding lacks written as numbers.

    A closed one's number is free, and the next file that is opened would be taken for the output.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as Python's
        elif isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
            stream.reconfigure(errors="backslashreplace")


def _complain(problem: str) -> int:
    _say(f"graphsched: error: {' '.join(problem.split())}")
    return BAD_INPUT


def _run(words: list[str]) -> int:
    if not words:
        _say(usage())
        return BAD_INPUT
    command, *rest = words
    if command in ("-h", "--help", "help"):
        print(usage())
        return 0
    if command == "--version":
        print(f"graphsched {__version__}")
        return 0
    contributed = _domain_command(command, rest)
    if contributed is not None:
        return contributed(rest[1:])
    if command in COMMANDS:
        module = importlib.import_module(f"graphsched.cli.commands.{COMMANDS[command][0]}")
        status: int = module.main(rest)
        return status
    close = difflib.get_close_matches(command, COMMANDS, n=1)
    hint = f"did you mean {close[0]}?" if close else f"not one of {', '.join(COMMANDS)}"
    raise InputError(f"command {command!r:.40}", hint)


def _domain_command(command: str, rest: list[str]) -> Callable[[Sequence[str]], int] | None:
    """The command that a domain contributes under this name, as ``COMMAND DOMAIN ...``."""
    from graphsched.envs.core.registry import domain_names, get_domain

    if not rest or rest[0] not in domain_names():
        return None
    return get_domain(rest[0]).commands.get(command)
