"""Memory maps show every residency where and when it is, and how much is taken."""

from __future__ import annotations

import numpy as np
import pytest

from graphsched.envs.core.specs import parse_instance
from graphsched.envs.memory import DOMAIN
from graphsched.envs.memory.render import _chart, render_html, render_text


def test_a_map_has_a_box_for_each_residency() -> None:
    instance = parse_instance(DOMAIN, "gpt2-16mib")
    solution = DOMAIN.baseline("benefit")(instance)
    assert len(solution.storage) > 100
    chart = _chart(instance, solution)
    capacity = instance.machine.fast_capacity
    columns = (solution.storage, solution.start, solution.end, solution.offset)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for bar, (storage, start, end, offset) in zip(chart.bars, rows, strict=True):
        assert (bar.group, bar.begin, bar.end) == (storage, start, end)
        assert bar.row * capacity == pytest.approx(offset)
        assert bar.height * capacity == pytest.approx(instance.size[storage])
    area = sum(bar.height * (bar.end - bar.begin) for bar in chart.bars)
    assert np.sum(chart.load) == pytest.approx(area)
    assert len(chart.load) == chart.span == instance.num_instructions
    assert 0 < max(chart.load) <= 1


def test_pictures_name_capacity_and_buffers() -> None:
    instance = parse_instance(DOMAIN, "gpt2-16mib")
    solution = DOMAIN.baseline("benefit")(instance)
    title, first, *_, axis, note = render_text(instance, solution).splitlines()
    assert title.startswith("gpt2-16mib: ")
    assert title.endswith(" us, 16 MiB of fast memory")
    assert first.startswith("16 MiB |")
    assert axis.split() == ["0", "217.5", "435"]
    assert note == "storages 62 apart share a symbol"
    page = render_html(instance, solution)
    assert page.count('class="bar ') == len(solution.storage)
    assert page.count('class="load"') == 1
    name = instance.buffers[int(instance.representative[solution.storage[0]])].name
    assert f'data-words="{name}: ' in page
