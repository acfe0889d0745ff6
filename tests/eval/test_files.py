"""Places for results are checked first, and files are written whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from graphsched.envs.core.errors import InputError
from graphsched.eval.files import prepare_file, prepare_folder, read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_in_the_way_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't write there"):
        prepare_folder(tmp_path / "file" / "out")
    with pytest.raises(InputError, match="is a folder"):
        prepare_file(tmp_path)


def test_folders_are_made_and_left_empty(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path / "a" / "b")
    assert list(folder.iterdir()) == []


def test_a_document_that_is_no_json_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_json(tmp_path / "x.json", {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_what_is_no_json_is_an_input_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(InputError, match="not a JSON document"):
        read_json(tmp_path / "x.json")
