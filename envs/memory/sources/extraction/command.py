"""``graphsched extract memory MODEL``: a PyTorch model as a program."""

from __future__ import annotations

import gzip
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.arguments import Parser
from graphsched.envs.core.parts.writing import prepare_file, write_file
from graphsched.envs.memory.hardware.machine import MIB, machine_from_json
from graphsched.envs.memory.sources.extraction.models import MODELS, build
from graphsched.envs.memory.sources.extraction.shape import Shape
from graphsched.envs.memory.sources.extraction.training import OPTIMIZERS, training_program

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from graphsched.envs.memory.hardware.machine import Machine
    from graphsched.envs.memory.instance import MemoryInstance


LARGEST = 2**20  # of a size


def _arguments(words: Sequence[str]) -> Namespace:
    parser = Parser("extract memory", __doc__)
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
    return parser.parse(words)


def _program(options: Namespace, name: str, machine: Machine) -> MemoryInstance:
    """The model traced. Raises InputError where PyTorch refuses the sizes."""
    shape = Shape(options.batch, options.sequence, options.image)
    logging.disable(logging.ERROR)  # PyTorch logs what it raises, with a traceback
    try:
        from graphsched.envs.memory.sources.extraction.graph import program_of

        module, arguments = build(options.model, shape)
        if options.mode == "forward":
            return program_of(module, arguments, name, machine, options.width)
        return training_program(
            module.train(), arguments, name, machine, options.width, options.optimizer
        )
    except ImportError as error:
        raise InputError("extract memory", f"needs torch: {error}") from None
    except InputError:
        raise
    except Exception as error:  # torch's own kinds are many
        sizes = f"--batch {shape.batch} --sequence {shape.sequence} --image {shape.image}"
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        problem = f"PyTorch can't trace it at {sizes}: {reason:.200}"
        raise InputError(f"model {options.model}", problem) from None
    finally:
        logging.disable(logging.NOTSET)


def extract(words: Sequence[str]) -> int:
    """Run the command; raises InputError for what can't be done."""
    options = _arguments(words)
    for name in ("batch", "sequence", "image", "width"):
        if not 1 <= getattr(options, name) <= LARGEST:
            problem = f"expected 1 to {LARGEST}, found {getattr(options, name)}"
            raise InputError(f"--{name}", problem)
    machine = machine_from_json(options.machine)
    if options.fast_mib is not None:
        if not 0 <= options.fast_mib < 2**30:
            raise InputError("--fast-mib", f"expected >= 0, found {options.fast_mib}")
        machine = machine.with_capacity(int(options.fast_mib * MIB))
    name = options.model if options.mode == "forward" else f"{options.model}-training"
    out = prepare_file(options.out or Path(f"{name}.json"))
    program = _program(options, name, machine)
    text = json.dumps(program.to_json())
    write_file(out, gzip.compress(text.encode(), mtime=0) if out.suffix == ".gz" else text.encode())
    sys.stdout.write(
        f"{out}: {program.num_instructions} instructions, {program.num_accesses} accesses, "
        f"{program.flops.sum() / 1e9:.4g} GFLOP\n"
    )
    return 0
