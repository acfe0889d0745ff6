"""Words of a command line as they were typed, before they are understood."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsched.envs.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence


def refuse_empty(argv: Sequence[str]) -> None:
    """Raises InputError if an option or argument is empty, as an unset variable of a shell makes it.

    An empty path would mean the working directory, an empty name the default.
    """
    for i, word in enumerate(argv):
        option, equals, value = word.partition("=")
        if option.startswith("--") and equals and not value:
            raise InputError(option, "is empty; expected a value")
        if not word.strip():
            before = argv[i - 1] if i else ""
            where = before if before.startswith("--") else f"argument {i + 1}"
            raise InputError(where, "is empty; expected a value")
