"""Every command that writes files, quick enough to be broken again and again, and what is whole."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphsched.agents.bundles.bundle import Networks
from graphsched.envs.core.registry import get_domain

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TOML = """
steps = 60
checkpoint_every = 0.5
device = "cpu"
instances = {"uniform:3x3" = 1.0}
network = {width = 4, layers = 1, decoder_width = 4}
ppo = {instances_per_rollout = 2, rollouts_per_instance = 2, num_minibatches = 1}
validation = {count = 2, every = 0.5, instances = {"uniform:3x3" = 1.0}}
"""


TRACE = "num_prefill_tokens,num_decode_tokens\n" + "64,3\n" * 6


@dataclass(frozen=True)
class Writer:
    """A command line that writes.

    Attributes:
        words: of the command, in a folder with `TOML` as settings.toml and `TRACE` as trace.csv.
        outputs: what it writes; a name that ends in / is a folder's.
        torch: whether it needs the extra for training.
        again: what makes good for a run that failed, where the same command doesn't.
    """

    words: str
    outputs: tuple[str, ...]
    torch: bool = False
    again: str = ""


EVAL = "eval jobshop --instances ft06 --policy none --baselines spt --out new/e"
TRAIN = "train jobshop --quiet --config settings.toml --out run"
ATTACK = "attack soc --solver heft --against cpop --steps 1 --restarts 2 --draws 1 --out "
TEACH = "teach jobshop --solver spt --instances uniform:3x3 --count 2 --out t"
WRITERS = {
    "solve": Writer(
        "solve jobshop ft06 --baseline spt --out new/s.json --gantt new/s.html",
        ("new/s.json", "new/s.html"),
    ),
    "solve png": Writer("solve jobshop ft06 --baseline spt --gantt g.png", ("g.png",)),
    "solve txt": Writer("solve jobshop ft06 --baseline spt --gantt g.txt", ("g.txt",)),
    "eval": Writer(EVAL, ("new/e/report.json", "new/e/report.html"), again=f"{EVAL} --resume"),
    "attack": Writer(f"{ATTACK} a", ("a/",), again=f"{ATTACK} b"),
    "teach": Writer(TEACH, ("t/",)),
    "costs": Writer("costs memory --first 0 --out new/c.json", ("new/c.json",)),
    "tune": Writer("tune jobshop --minutes 0.1 --out w.json", ("w.json",), torch=True),
    "extract": Writer("extract memory gpt2 --out p.json.gz", ("p.json.gz",), torch=True),
    "moves": Writer(
        "moves memory --programs 2 --size 1@1 --tries 20 --rounds 1 --epochs 1 --judged 2 --out new/m.json",
        ("new/m.json",),
    ),
    "replay": Writer(
        "replay memory toy --baseline best-of-orders --out new/r.json", ("new/r.json",)
    ),
    "train": Writer(TRAIN, ("run/",), torch=True, again="train jobshop --quiet --resume --out run"),
    "cut": Writer("cut batching trace.csv --requests 3 --count 2 --out parts", ("parts/",)),
    "export": Writer("export trained --out new/bundle", ("new/bundle/",), torch=True),
}
ONLY_PRINT = {"list", "check", "bench", "compile", "allocate", "pools"}
MADE_OF_OTHERS = {"demo"}  # train, eval, export and solve


def quicken(patch: pytest.MonkeyPatch) -> None:
    """Put something small in the place of long computations; what is written, and how, stays."""
    import graphsched.cli.commands.costs
    import graphsched.cli.commands.tune.linear
    import graphsched.envs.memory.sources.extraction.command
    import graphsched.training.running.outcome
    from graphsched.training.cem import LinearRule

    commands, memory = graphsched.cli.commands, get_domain("memory")
    patch.setattr(commands.costs, "collect", lambda domain, specs, tell: {"a": {"b": 1.0}})

    def rule(config: Any, options: Any, *rest: Any) -> LinearRule:
        del rest
        size = len(get_domain(config.domain).schema.candidate)
        return LinearRule(np.ones(size, np.float32), options, 1.0, 2, [])

    patch.setattr(commands.tune.linear, "_search", rule)
    program = memory.generators["toy"](np.random.default_rng(0), "")
    command = graphsched.envs.memory.sources.extraction.command
    patch.setattr(command, "_program", lambda *words: program)
    small = Networks({"decoder.a": np.zeros(4, np.float32)}, b"e" * 99, b"d" * 99, 4, 1, 4)
    patch.setattr(graphsched.training.running.outcome, "networks", lambda *parts: small)


def complaints(errors: str) -> list[str]:
    """Lines of the error stream; what tells of compiling is none."""
    return [line for line in errors.splitlines() if not line.startswith("compiling kernels of ")]


def problem(path: Path) -> str | None:
    """What is wrong with a file, if anything is."""
    data = path.read_bytes()
    try:
        if path.suffix == ".gz":
            json.loads(gzip.decompress(data))
        elif path.suffix == ".json":
            json.loads(data)
        elif path.suffix == ".jsonl":  # journals grow; readers drop a last line that is cut
            [json.loads(line) for line in data.split(b"\n")[:-1]]
    except (ValueError, EOFError, OSError) as error:
        return f"{path}: {error!r}"
    if path.name == "config.json" and "files" in json.loads(data):
        for name, digest in json.loads(data)["files"].items():
            if hashlib.sha256((path.parent / name).read_bytes()).hexdigest() != digest:
                return f"{path.parent / name}: of another bundle"
    ends = {".html": b"</html>", ".png": b"IEND\xaeB`\x82", ".txt": b"\n", ".md": b"\n"}
    whole = data.rstrip(b"\n") if path.suffix == ".html" else data
    return None if whole.endswith(ends.get(path.suffix, b"")) else f"{path}: cut"


def visible(folder: Path) -> dict[str, bytes]:
    """Content of the files that a user sees, TensorBoard's apart, which are written as they come."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _is_hidden(path, folder) and "tensorboard" not in path.parts
    }


def hidden(folder: Path) -> list[str]:
    """Names of what is hidden; locks aside, which stay."""
    found = [p for p in folder.rglob(".*") if not p.name.endswith(".lock")]
    return [str(path.relative_to(folder)) for path in found]


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
