"""``graphsched extract memory MODEL``: a PyTorch model as a program."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from graphsched.envs.core.errors import InputError
from graphsched.envs.memory.hardware.machine import MIB, machine_from_json
from graphsched.envs.memory.sources.extraction.models import MODELS, build
from graphsched.envs.memory.sources.extraction.shape import Shape
from graphsched.envs.memory.sources.extraction.training import OPTIMIZERS, training_program

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise InputError("extract memory", message)


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="graphsched extract memory", description=__doc__)
    parser.add_argument("model", help=", ".join(MODELS))
    parser.add_argument("--mode", choices=("forward", "train"), default="forward")
    parser.add_argument("--optimizer", default="sgd", help=f"of train: {', '.join(OPTIMIZERS)}")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--sequence", type=int, default=128, help="tokens")
    parser.add_argument("--image", type=int, default=224, help="pixels each way")
    parser.add_argument("--machine", default="tpuv4i", help="preset of the machine")
    parser.add_argument("--fast-mib", type=float, help="MiB of fast memory; the machine's own")
    parser.add_argument("--width", type=int, default=2, help="bytes of a number")
    parser.add_argument(
        "--out", type=Path, help="MODEL.json or MODEL-training.json; gzipped if it ends in .gz"
    )
    return parser.parse_args(list(words))


def extract(words: Sequence[str]) -> int:
    """Run the command; raises InputError for what can't be done."""
    options = _arguments(words)
    for name in ("batch", "sequence", "image", "width"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name}", f"expected >= 1, found {getattr(options, name)}")
    machine = machine_from_json(options.machine)
    if options.fast_mib is not None:
        if not 0 <= options.fast_mib < 2**30:
            raise InputError("--fast-mib", f"expected >= 0, found {options.fast_mib}")
        machine = machine.with_capacity(int(options.fast_mib * MIB))
    try:
        from graphsched.envs.memory.sources.extraction.graph import program_of

        shape = Shape(options.batch, options.sequence, options.image)
        module, arguments = build(options.model, shape)
    except ImportError as error:
        raise InputError("extract memory", f"needs torch: {error}") from None
    if options.mode == "train":
        name = f"{options.model}-training"
        program = training_program(
            module.train(), arguments, name, machine, options.width, options.optimizer
        )
    else:
        program = program_of(module, arguments, options.model, machine, options.width)
    out = options.out or Path(f"{program.name}.json")
    text = json.dumps(program.to_json())
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(
            gzip.compress(text.encode(), mtime=0) if out.suffix == ".gz" else text.encode()
        )
    except OSError as error:
        raise InputError(out, f"can't be written: {error.strerror}") from None
    sys.stdout.write(
        f"{out}: {program.num_instructions} instructions, {program.num_accesses} accesses, "
        f"{program.flops.sum() / 1e9:.4g} GFLOP\n"
    )
    return 0
