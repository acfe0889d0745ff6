"""What the documentation shows works: its code runs, its links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("envs/*/README.md")),
]
FENCE = re.compile(
    r"^(?P<skip><!-- not-run -->\n+)?```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\]\((?P<target>[^)#\s]+)[^)]*\)")
COMMANDS = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    code: str
    runs: bool


def _blocks(text: str) -> list[Block]:
    found = [Block(m["language"], m["code"], m["skip"] is None) for m in FENCE.finditer(text)]
    return [b._replace(runs=b.runs and b.language in COMMANDS) for b in found]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_blocks_are_found_and_marked_ones_are_not_run() -> None:
    text = "```bash\na\n```\n\n<!-- not-run -->\n```bash\nb\n```\n```text\nc\n```\n"
    assert _blocks(text) == [
        Block("bash", "a\n", True),
        Block("bash", "b\n", False),
        Block("text", "c\n", False),
    ]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_names_its_language(page: Path) -> None:
    assert all(block.language for block in _blocks(page.read_text()))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_relative_links_lead_to_files(page: Path) -> None:
    targets = [m["target"] for m in LINK.finditer(page.read_text())]
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.readme
@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_blocks_run_in_their_order_in_an_empty_folder(page: Path, tmp_path: Path) -> None:
    blocks = [block for block in _blocks(page.read_text()) if block.runs]
    if not blocks:
        pytest.skip("nothing to run")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in blocks:
        done = subprocess.run(
            [*COMMANDS[block.language], block.code],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block.code}\n{done.stdout}\n{done.stderr}"
