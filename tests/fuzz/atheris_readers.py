"""Coverage-guided fuzzing of a domain's readers, by hand, for as long as it is left to run.

`python -m tests.fuzz.atheris_readers DOMAIN [-max_total_time=60 ...]`; the options are libFuzzer's.
Needs PyPI `atheris`, which is no dependency. The first byte of an input chooses the reader, the
rest is the file; an input that breaks a promise ends the run and is left in `crash-*`.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import warnings
from pathlib import Path

try:
    atheris = importlib.import_module("atheris")
except ModuleNotFoundError:
    sys.exit("atheris_readers: pip install atheris first")

# Kernels can't be instrumented: numba compiles their bytecode.
ROOMS = ("instance", "solution", "readers", "sources")
PARTS = ("reading", "documents", "values")


def main(argv: list[str]) -> None:
    """Fuzz the readers of the domain that the first word names."""
    name, options = argv[1], argv[2:]
    names = [f"graphsched.envs.{name}.{room}" for room in ROOMS]
    with atheris.instrument_imports(
        include=[*names, *(f"graphsched.envs.core.parts.{part}" for part in PARTS)]
    ):
        importlib.import_module(f"graphsched.envs.{name}")
    from graphsched.envs.core.errors import InputError
    from graphsched.envs.core.registry import get_domain
    from tests.fuzz.judging import LONGEST, comes_back
    from tests.fuzz.seeds import seeds, write

    warnings.simplefilter("error")
    domain = get_domain(name)
    readers = list(domain.readers)
    with tempfile.TemporaryDirectory() as made:
        folder, corpus = Path(made) / "files", Path(made) / "corpus"
        folder.mkdir()
        corpus.mkdir()
        for number, reader in enumerate(readers):
            for k, seed in enumerate(seeds(name, reader)):
                write(folder, seed)  # with what has to lie beside it
                (corpus / f"{reader}-{k}").write_bytes(bytes([number]) + seed.data)

        def test(data: bytes) -> None:
            reader = readers[(data[0] if data else 0) % len(readers)]
            path = folder / "file"
            path.write_bytes(data[1:])
            said = ""
            try:
                comes_back(domain, domain.readers[reader](path))
            except InputError as error:
                said = str(error)
            if said:
                assert str(folder) in said
                assert len(said.splitlines()) == 1
                assert len(said.replace(str(folder), "")) < LONGEST

        atheris.Setup([argv[0], *options, "-timeout=5", "-rss_limit_mb=4096", str(corpus)], test)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
