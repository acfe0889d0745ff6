"""An evaluation's solves as they come, a line each, so that an interrupted one can go on."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import read_text
from graphsched.envs.core.parts.writing import naming, write_text
from graphsched.eval.running.benchmark import Solved, unique_names
from graphsched.eval.running.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from graphsched.envs.core.domain import Domain
    from graphsched.eval.solvers.contenders import Contender

FILE = "rows.jsonl"
SCHEMA = 2
MAX_BYTES = 2**30  # of solutions, all that an evaluation has found
GO_ON = "; go on with --resume"


class Journal:
    """The file of an unfinished evaluation; it goes away once the report is written.

    The first line says of what evaluation, each further one holds a solve. A last line that was
    not written to its end is dropped.
    """

    def __init__(
        self,
        folder: Path,
        domain: Domain[Any, Any],
        instances: Sequence[Any],
        contenders: Sequence[Contender],
        seeds: Sequence[int],
        resume: bool,
    ) -> None:
        """Begin or go on.

        Args:
            folder: of the evaluation's results.
            domain: see `run_benchmark`.
            instances: see `run_benchmark`.
            contenders: see `run_benchmark`.
            seeds: see `run_benchmark`.
            resume: go on with what is there, if anything is.

        Raises:
            InputError: there is an unfinished evaluation and ``resume`` isn't set, or it is
                another one; the file can't be read.
        """
        self.path = folder / FILE
        self._domain = domain
        self._instances = unique_names(instances)
        self._solved: dict[tuple[str, int, str], Solved] = {}
        head = _head(domain, self._instances, contenders, seeds)
        if not self.path.exists():
            write_text(self.path, json.dumps(head) + "\n")
        elif resume:
            self._read(head)
        else:
            problem = "an unfinished evaluation: go on with --resume, or remove the file"
            raise InputError(self.path, problem)

    def __len__(self) -> int:
        """Solves that are there."""
        return len(self._solved)

    def find(self, solver: str, seed: int, instance: str) -> Solved | None:
        """A solve that is already there."""
        return self._solved.get((solver, seed, instance))

    def add(self, solved: Solved) -> None:
        """Write a solve down, through to the disk."""
        row = solved.row
        self._solved[row.solver, row.seed, row.instance] = solved
        line: dict[str, Any] = {"row": row.to_json(), "violations": solved.violations}
        if solved.solution is not None:
            line["solution"] = solved.solution.to_json()
        with naming(self.path, GO_ON), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Remove the file: its content is in the report."""
        self.path.unlink(missing_ok=True)

    def _read(self, head: dict[str, Any]) -> None:
        text = read_text(self.path, MAX_BYTES)
        whole = text[: text.rfind("\n") + 1]
        lines = whole.splitlines()
        try:
            found = json.loads(lines[0]) if lines else {}
            for key, value in head.items():
                if found.get(key) != value:
                    raise InputError(self.path, f"of another evaluation: its {key} differ")
            for line in lines[1:]:
                self._remember(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(self.path, f"not the rows of an evaluation: {error!r}") from None
        if whole != text:
            write_text(self.path, whole)

    def _remember(self, line: dict[str, Any]) -> None:
        row = Row(**line["row"])
        solution = None
        if "solution" in line:
            instance = self._instances[row.instance]
            solution = self._domain.solution_from_json(instance, line["solution"])
        key = row.solver, row.seed, row.instance
        self._solved[key] = Solved(row, line["violations"], solution)


def _head(
    domain: Domain[Any, Any],
    instances: dict[str, Any],
    contenders: Iterable[Contender],
    seeds: Sequence[int],
) -> dict[str, Any]:
    documents = json.dumps({name: i.to_json() for name, i in instances.items()}, sort_keys=True)
    return {
        "schema": SCHEMA,
        "domain": domain.name,
        "instances": hashlib.sha256(documents.encode()).hexdigest(),
        "contenders": [contender.name for contender in contenders],
        "seeds": list(seeds),
    }
