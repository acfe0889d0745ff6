"""Reader of minimalloc's files: what it returns, and one line for whatever is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.eval.allocation.instance import Allocation, read_minimalloc

GOOD = "id,lower,upper,size\nb1,0,3,4\nb2,3,9,4\nb3,0,9,4\n"


def test_columns_capacity_and_load(tmp_path):
    path = tmp_path / "small.12.csv"
    path.write_text(GOOD)
    problem = read_minimalloc(path)
    assert (problem.name, problem.capacity, problem.ids) == ("small", 12, ("b1", "b2", "b3"))
    assert problem.lower.tolist() == [0, 3, 0]
    assert problem.upper.tolist() == [3, 9, 9]
    assert problem.load.tolist() == [8, 8]  # the upper end is exclusive
    assert problem.max_load == 8
    assert read_minimalloc(path, 100).capacity == 100


def test_order_of_columns_blank_lines_and_byte_order_mark(tmp_path):
    path = tmp_path / "any.csv"
    path.write_bytes("\ufeffsize, upper ,ID,lower,x\r\n\r\n7,2,a,1,?\r\n".encode())
    problem = read_minimalloc(path)
    assert problem.capacity is None
    assert (problem.lower[0], problem.upper[0], problem.size[0]) == (1, 2, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("\n \n", "expected a header with id,lower,upper,size and a row at least"),
        ("id,lower,upper,size\n", "expected a header with id,lower,upper,size and a row at least"),
        ("id,lower,size\n1,2,3\n", "line 1: expected one column 'upper'"),
        ("id,lower,lower,upper,size\n", "line 1: expected one column 'lower'"),
        ("1,2,3,4\n", "line 1: expected one column 'id'"),
        (GOOD + "x,5,5,1\n", "line 5: expected lower < upper, found 5 and 5"),
        (GOOD + "x,6,5,1\n", "line 5: expected lower < upper, found 6 and 5"),
        (GOOD + "x,1,5,-1\n", "line 5: expected size >= 0, found -1"),
        (GOOD + "x,1,5,1.5\n", "line 5, size: expected an integer, found '1.5'"),
        (GOOD + "x,1,nan,1\n", "line 5, upper: expected an integer, found 'nan'"),
        (GOOD + f"x,1,5,{10**17}\n", "line 5, size: expected integers in"),
        (GOOD + f"x,1,5,{'9' * 10000}\n", "line 5, size: expected integers in"),
        (GOOD + "x,1,5\n", "line 5: expected 4 cells, found 3"),
        (GOOD + "b1,1,5,1\n", "line 5: expected an id of its own, found 'b1' again"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_minimalloc(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_text_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_minimalloc(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a directory"):
        read_minimalloc(tmp_path)
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="binary"):
        read_minimalloc(tmp_path / "b.csv")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (((), [], [], []), "at least one buffer"),
        ((("a",), [3], [3], [1]), "lower < upper"),
        ((("a",), [3], [4], [-1]), "size >= 0"),
        ((("a",), [3], [4, 5], [1]), "upper: expected 1 integers"),
        ((("a",), [3], [4], [1.0]), "size: expected 1 integers"),
        ((("a",), [3], [4], [1], -1), "capacity: expected >= 0"),
    ],
)
def test_problems_from_python_are_validated(values, message):
    ids, lower, upper, size, *rest = values
    with pytest.raises(InputError, match=message):
        Allocation("p", ids, np.array(lower), np.array(upper), np.array(size), *rest)
