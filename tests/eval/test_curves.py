"""Pictures over time hold every base, and no label covers another or leaves the picture."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from typing import Any
from xml.etree import ElementTree

import pytest

from graphsched.eval.judging.view import View
from graphsched.eval.report.curves import base_styles, panels, points, quality_against_time
from graphsched.eval.report.marks import LINE, Box, place_labels, styles, text_width
from tests.eval.samples import FIELD, batching_document, contender, document_of, field_document, row


def _one() -> dict[str, Any]:
    """Two contenders on one instance."""
    contenders = [
        contender("default", "policy"),
        contender("tabu@1s", "search", time_limit_s=1.0),
    ]
    return document_of(contenders, [row("a", "default", 106), row("a", "tabu@1s", 104)])


DOCUMENTS = {"field": field_document(), "batching": batching_document(), "one": _one()}
CHARACTER = 6.6  # mean pixels of a character of 13 px text


def _texts(picture: str) -> list[tuple[str, Box]]:
    """Labels with their rectangles."""
    out = []
    for found in ElementTree.fromstring(picture).iter("text"):
        words, x, y = found.text or "", float(found.attrib["x"]), float(found.attrib["y"])
        width = CHARACTER * len(words)
        left = x - width * {"start": 0.0, "middle": 0.5, "end": 1.0}[found.attrib["text-anchor"]]
        out.append((words, Box(left, y - 10, left + width, y + 2)))
    return out


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("draw", [quality_against_time, panels])
def test_labels_neither_overlap_nor_leave_the_picture(name: str, draw: Any) -> None:
    picture = draw(View(DOCUMENTS[name]))
    texts = _texts(picture)
    for (words, box), (others, other) in itertools.combinations(texts, 2):
        assert not box.meets(other), (words, others)
    width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', picture)[0])
    assert all(box.within(Box(0, 0, width, height)) for _, box in texts), texts


def test_every_base_is_in_the_key_and_every_solver_has_a_mark() -> None:
    view = View(DOCUMENTS["field"])
    picture = quality_against_time(view)
    words = {re.sub(r" \(.*", "", text) for text, _ in _texts(picture)}
    assert set(FIELD) <= words
    titles = [t.text or "" for t in ElementTree.fromstring(picture).iter("title")]
    names = {title.partition(":")[0] for title in titles}
    assert {solver["name"] for solver in view.solvers} <= names
    for group in view.groups:
        assert len(points(view, group)) == len(view.solvers)
    small = Counter(
        t.text.partition(":")[0]
        for t in ElementTree.fromstring(panels(view)).iter("title")
        if t.text
    )
    assert set(small.values()) == {len(view.groups)}


def test_curves_have_one_point_for_each_limit() -> None:
    picture = ElementTree.fromstring(quality_against_time(View(DOCUMENTS["field"])))
    lines = [line.attrib["points"].split() for line in picture.iter("polyline")]
    assert sorted(map(len, lines)) == [2] * 8 + [3] * 8  # in the key, and in the picture


def test_limits_are_where_the_axis_says() -> None:
    found = {p.name: p for p in points(View(DOCUMENTS["field"]))}
    assert found["tabu@0.1s"].seconds == 0.1
    assert found["default"].seconds == pytest.approx(0.02, rel=0.1)
    assert found["tabu@1s"].low < found["tabu@1s"].mean < found["tabu@1s"].high


def test_bases_differ_in_shape_filling_or_colour() -> None:
    looks = base_styles(View(DOCUMENTS["field"]))
    assert len({(s.kind, s.shape, s.hollow) for s in looks.values()}) == len(looks)
    many = styles({str(i): "search" for i in range(16)})
    assert len({(s.shape, s.hollow) for s in many.values()}) == 16


def test_means_far_above_the_rest_are_told_in_the_key() -> None:
    texts = [text for text, _ in _texts(quality_against_time(View(DOCUMENTS["field"])))]
    assert any(re.fullmatch(r"random \(6\d\.\d%, above the picture\)", text) for text in texts)


def test_labels_find_room_or_stay_away() -> None:
    area = Box(0, 0, 300, 100)
    placed = place_labels([("one", 50, 50), ("two", 50, 50)], [Box(46, 46, 54, 54)], area)
    assert len(placed) == 2
    assert not placed["one"].meets(placed["two"])
    full = place_labels([("one", 50, 50)], [area], area)
    assert full == {}
    (box,) = place_labels([("edge", 298, 50)], [], area).values()
    assert box.within(area)
    size = (box.right - box.left, box.bottom - box.top)
    assert size == pytest.approx((text_width("edge"), LINE))
