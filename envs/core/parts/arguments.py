"""Words of a command line: what holds of every command, and a parser for those of a domain."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Container, Sequence


def refuse_empty(words: Sequence[str]) -> None:
    """Raises InputError if an option or argument is empty, as an unset variable of a shell makes it.

    An empty path would mean the working directory, an empty name the default.
    """
    for i, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option.startswith("--") and equals and not value:
            raise InputError(option, "is empty; expected a value")
        if not word.strip():
            before = words[i - 1] if i else ""
            where = before if before.startswith("--") else f"argument {i + 1}"
            raise InputError(where, "is empty; expected a value")


def refuse_repeated(words: Sequence[str], options: Container[str]) -> None:
    """Raises InputError if one of the options is given twice: only the last would count."""
    seen: set[str] = set()
    for word in words:
        name = word.partition("=")[0]
        if name in options and name in seen:
            raise InputError(name, "expected once, found twice")
        seen.add(name)


class Parser(argparse.ArgumentParser):
    """argparse's, whose complaints are InputErrors and whose options may be given once only."""

    def __init__(self, command: str, description: str | None) -> None:
        """command: such as ``extract memory``."""
        super().__init__(f"graphsched {command}", description=description, allow_abbrev=False)
        self.command = command

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Values of all options and arguments; raises InputError."""
        refuse_empty(words)
        refuse_repeated(words, {w.partition("=")[0] for w in words if w.startswith("--")})
        return self.parse_args(list(words))

    def error(self, message: str) -> NoReturn:
        """Raises InputError."""
        raise InputError(self.command, message)
