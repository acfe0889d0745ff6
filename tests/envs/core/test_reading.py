"""Files of any content are read or refused in one line, in bounded time and memory."""

from __future__ import annotations

import gzip
import json
import os
import threading
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.reading import (
    LARGEST,
    integer,
    parse_json,
    read_bytes,
    read_object,
    read_rows,
    read_text,
    read_toml,
    real,
)

quiet = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@quiet
@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"), min_size=1))
def test_text_comes_back_packed_or_not(tmp_path, text):
    path = tmp_path / "a.txt"
    for content in (text.encode(), b"\xef\xbb\xbf" + text.encode(), gzip.compress(text.encode())):
        path.write_bytes(content)
        assert read_text(path) == text


def test_a_small_packed_file_may_not_unpack_to_a_huge_one(tmp_path):
    path = tmp_path / "bomb.json"
    path.write_bytes(gzip.compress(b"0" * 2**22))
    assert path.stat().st_size < 2**16
    with pytest.raises(InputError, match=r"bomb.json: expected a file of at most 1 MiB"):
        read_text(path, 2**20)


@pytest.mark.parametrize("zipped", [False, True])
def test_room_is_made_for_what_is_there_not_for_the_limit(tmp_path, zipped):
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(b"small") if zipped else b"small")
    tracemalloc.start()
    try:
        assert read_bytes(path, 2**34) == b"small"
        assert tracemalloc.get_traced_memory()[1] < 64 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs an endless device")
def test_an_endless_device_is_refused():
    with pytest.raises(InputError, match="/dev/zero: is a device"):
        read_text(Path("/dev/zero"), 2**20)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_read_if_somebody_writes_and_empty_otherwise(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="is empty"):
        read_text(pipe)
    kept = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # so that nothing written is lost
    writer = os.open(pipe, os.O_WRONLY)

    def write():
        time.sleep(0.05)
        os.write(writer, b"words")
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    assert read_text(pipe) == "words"
    thread.join()
    os.close(kept)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\xff\xfe", "found binary data"),
        (b"a\0b", "found binary data"),
        (b"\x1f\x8bnot packed", "found a damaged one"),
        (b"[1]", "expected a JSON object, found list"),
        (b"{", "expected JSON"),
        (b"{\n\n1}", "line 3: expected JSON"),
        (b"[" * 10**5, "nested too deeply"),
        (b'{"a": ' + b"9" * 10**4 + b"}", "a number too long"),
    ],
)
def test_what_is_no_object_is_one_line(tmp_path, content, problem):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=problem) as caught:
        read_object(path, lambda document: document)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_places_that_are_no_files(tmp_path):
    with pytest.raises(InputError, match="is a directory"):
        read_text(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_text(tmp_path / "none")
    with pytest.raises(InputError, match="can't be read"):
        read_text(tmp_path / ("long" * 1000))


def test_an_error_of_a_field_names_the_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"field": 1}))

    def refuse(document):
        raise InputError("field", f"expected 2, found {document['field']}")

    with pytest.raises(InputError, match=r"a.json: field: expected 2, found 1"):
        read_object(path, refuse)


def test_toml_is_read_or_refused(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("a = 1")
    assert read_toml(path) == {"a": 1}
    path.write_text("a = = 1")
    with pytest.raises(InputError, match=r"a\.toml: expected TOML"):
        read_toml(path)
    for text in ("a = " + "9" * 6000, "a = " + "[" * 5000):
        path.write_text(text)
        with pytest.raises(
            InputError, match=r"a\.toml: expected TOML: nested too deeply, or a num"
        ):
            read_toml(path)


def test_rows_have_places_and_named_cells(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('# said first\n b ,a\n\n1,"x, y"\n\n2 , z\n')
    rows = read_rows(path, ("a", "b"))
    assert [row for _, row in rows] == [{"a": "x, y", "b": "1"}, {"a": "z", "b": "2"}]
    assert [where for where, _ in rows] == [f"{path}, line {n}" for n in (4, 6)]
    path.write_text("A,b\n1,2\n")
    assert read_rows(path, ("a",), fold=True) == [(f"{path}, line 2", {"a": "1", "b": "2"})]
    for text, problem in (
        ("A,b\n1,2\n", "line 1: expected one column 'a'"),
        ("a,a\n1,2\n", "line 1: expected one column 'a'"),
        ("a,b\n1\n", "line 2: expected 2 cells, found 1"),
        ("a,b\n", "a row at least"),
        ("a\n" + "x" * 2**18, "line 2: expected CSV"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=problem):
            read_rows(path, ("a",))


@given(st.integers(-(10**20), 10**20))
def test_integers_are_themselves_or_out_of_range(value):
    if abs(value) <= LARGEST:
        assert integer(str(value), "here", -LARGEST) == value
    else:
        with pytest.raises(InputError, match="here: expected integers in"):
            integer(str(value), "here", -LARGEST)


@pytest.mark.parametrize("word", ["", "1.5", "x", "1_0", "٣", "0x1", "1e3", "+-1", "nan"])
def test_what_is_no_integer_is_refused(word):
    with pytest.raises(InputError, match="here: expected an integer"):
        integer(word, "here")
    with pytest.raises(InputError, match="expected integers in"):
        integer("9" * 10_000, "here")


@given(st.floats(0, allow_infinity=False, allow_nan=False))
def test_numbers_are_themselves(value):
    assert real(repr(value), "here") == value


@pytest.mark.parametrize("word", ["", "x", "nan", "inf", "-1", "1e400", "1_0", "٣", "0x1"])
def test_what_is_no_number_in_range_is_refused(word):
    with pytest.raises(InputError, match="here: expected a number >= 0"):
        real(word, "here")


def test_json_in_a_line_is_named_by_the_line():
    with pytest.raises(InputError, match=r"^a, line 7: expected JSON"):
        parse_json('{"a"', "a, line 7")


def test_nested_deeply_for_whoever_shows_it_is_one_line(tmp_path):
    """A parser takes lists in lists that those who are called by others can't go through."""
    path = tmp_path / "a.json"

    def refuse(document, calls=50):
        if calls:
            refuse(document, calls - 1)
        raise InputError("field", f"found {document!r:.40}")

    for depth in range(800, 1000):
        path.write_text('{"a":' * depth + "1" + "}" * depth)
        with pytest.raises(InputError, match=r"a.json: (field: found|.*nested too deeply)"):
            read_object(path, refuse)
