"""Measures, bounds and documents agree with figures worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.soc.bounds import completions, cost, lower_bound, tails
from graphsched.envs.soc.instance import Job, Noise, Platform, SocInstance, Stream
from graphsched.envs.soc.metrics import metrics
from graphsched.envs.soc.physics.tasks import tasks_of
from graphsched.envs.soc.readers import READERS
from graphsched.envs.soc.solution import SocSolution, solution_from_json

TWO = Platform("two", ("x", "y"), np.array([[1.0, 2.0], [4.0, 1.0]]), capacity=np.array((1, 2)))
POWERED = replace(TWO, busy_power=np.array([2.0, 3.0]), idle_power=np.array([0.5, 0.25]))
FORK = Job(
    "fork",
    ("a", "b", "c"),
    np.array([[4.0, 6.0], [3.0, 5.0], [np.inf, 2.0]]),
    np.array([[0, 0], [1, 2]]),
    np.array([8.0, 8.0]),
)
SHORT = Job("short", ("s",), np.array([[3.0, 1.5]]), np.zeros((2, 0), np.int64), np.zeros(0))
PLAN = SocInstance("fork", TWO, (FORK,))
RUN = SocSolution.of_plan(
    np.array([0, 0, 1]), np.array([0.0, 4.0, 8.0]), np.array([4.0, 7.0, 10.0])
)
STREAM = Stream(20.0, max_in_system=3, mix=(0.5, 0.5), fill=1)
WORLD = SocInstance("world", POWERED, (FORK, SHORT), STREAM)
# Job 0 from 0 to 10; job 1 from 5 to 8; job 2 ends after the horizon; job 3 has a task to come.
ROWS = SocSolution(
    kind=np.array([0, 1, 1, 0]),
    arrival=np.array([0.0, 5.0, 16.0, 18.0]),
    job=np.array([0, 0, 0, 1, 2, 3, 3]),
    task=np.array([0, 1, 2, 0, 0, 0, 1]),
    pe=np.array([0, 0, 1, 1, 0, 1, 1]),
    start=np.array([0.0, 4.0, 8.0, 6.0, 18.0, 19.0, 21.0]),
    end=np.array([4.0, 7.0, 10.0, 8.0, 21.0, 20.0, 22.0]),
    cost=6.5,
)


def test_a_plan_copies_its_columns():
    pe, start, end = np.array([0, 1]), np.array([0.0, 1.0]), np.array([1.0, 3.0])
    solution = SocSolution.of_plan(pe, start, end)
    pe[:], start[:], end[:] = 9, 9, 9
    assert solution.cost == 3.0
    assert (solution.kind.tolist(), solution.arrival.tolist()) == ([0], [0.0])
    assert (solution.job.tolist(), solution.task.tolist()) == ([0, 0], [0, 1])
    assert (solution.pe.tolist(), solution.start.tolist(), solution.end.tolist()) == (
        [0, 1],
        [0.0, 1.0],
        [1.0, 3.0],
    )


def test_utilisation_and_energy_of_a_plan_by_hand():
    """PE x works for 7 of 10, y for 2 of twice 10."""
    found = metrics(replace(PLAN, platform=POWERED), RUN)
    assert found["utilisation %"] == pytest.approx(100 * 9 / 30)
    # an idle PE draws its idle power; y is idle for 10 - 2 / 2
    assert found["energy"] == pytest.approx(7 * 2 + 2 * 3 + 3 * 0.5 + 9 * 0.25)
    busy = replace(PLAN, platform=replace(POWERED, idle_power=None))
    assert metrics(busy, RUN)["energy"] == pytest.approx(7 * 2 + 2 * 3)
    assert set(metrics(PLAN, RUN)) == {"utilisation %"}


def test_measures_of_a_stream_by_hand():
    """What lies after the horizon of 20 does not count: x works for 9, y for 5."""
    found = metrics(WORLD, ROWS)
    assert found["utilisation %"] == pytest.approx(100 * (9 + 5) / 60)
    assert found["energy"] == pytest.approx(9 * 2 + 5 * 3 + 11 * 0.5 + 17.5 * 0.25)
    assert found["jobs completed"] == 2
    assert found["jobs per 1000"] == pytest.approx(100.0)
    assert found["latency p95"] == pytest.approx(3 + 0.95 * 7)
    assert found["oldest unfinished"] == pytest.approx(4.0)


def test_measures_of_a_stream_that_completes_all_or_nothing():
    early = replace(WORLD, stream=replace(STREAM, horizon=5.0))
    found = metrics(early, ROWS)
    assert (found["jobs completed"], found["latency p95"]) == (0, 5.0)
    assert found["oldest unfinished"] == 5.0
    all_done = replace(
        ROWS,
        kind=ROWS.kind[:2],
        arrival=ROWS.arrival[:2],
        **{n: getattr(ROWS, n)[:4] for n in ("job", "task", "pe", "start", "end")},
    )
    assert metrics(WORLD, all_done)["oldest unfinished"] == 0.0


def test_jobs_are_complete_with_their_last_task_by_the_horizon():
    assert completions(WORLD, ROWS).tolist() == [10.0, 8.0, np.inf, np.inf]
    on_time = replace(ROWS, end=np.where(ROWS.job == 2, 20.0, ROWS.end))
    assert completions(WORLD, on_time).tolist() == [10.0, 8.0, 20.0, np.inf]
    assert completions(PLAN, RUN).tolist() == [10.0]


def test_costs_by_hand():
    assert cost(PLAN, RUN) == 10.0
    assert cost(WORLD, ROWS) == pytest.approx((10 + 3) / 2)
    assert cost(replace(WORLD, stream=replace(STREAM, horizon=5.0)), ROWS) == 5.0


def test_tails_and_bounds_by_hand():
    """Least durations 4, 3, 2: the path a, b takes 7; all work on three lanes takes 3."""
    tail, bound = tails(tasks_of(FORK, TWO, False))
    assert tail.tolist() == [3.0, 0.0, 0.0]
    assert bound == 7.0
    assert lower_bound(PLAN) == 7.0
    names = tuple("abcdefg")
    wide = Job("wide", names, np.full((7, 2), 6.0), np.zeros((2, 0), np.int64), np.zeros(0))
    assert lower_bound(SocInstance("wide", TWO, (wide,))) == pytest.approx(42 / 3)
    assert lower_bound(replace(PLAN, noise=Noise("gaussian", 0.1))) == 0.0


def test_a_stream_is_bounded_by_its_shortest_job_alone():
    """Neither by its work, which other jobs' lanes may do, nor by a longer job."""
    assert lower_bound(WORLD) == 1.5
    assert lower_bound(replace(WORLD, jobs=(SHORT, FORK))) == 1.5
    stream = replace(STREAM, mix=(1.0,))
    assert lower_bound(replace(WORLD, jobs=(FORK,), stream=stream)) == 7.0
    wide = Job("w", tuple("abcdefg"), np.full((7, 2), 6.0), np.zeros((2, 0), np.int64), np.zeros(0))
    assert lower_bound(replace(WORLD, jobs=(wide,), stream=stream)) == 6.0


def changed(path, value):
    document = json.loads(json.dumps(ROWS.to_json()))
    at = document
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        (["jobs", 1, "kind"], 2, r"jobs\[1\].kind: expected in \[0, 2\), found 2"),
        (["jobs", 1, "kind"], -1, r"jobs\[1\].kind"),
        (["jobs", 1, "kind"], True, r"jobs\[1\].kind: expected an integer"),
        (["jobs", 1, "arrival"], "1", r"jobs\[1\].arrival: expected a number"),
        (["jobs", 1, "arrival"], float("nan"), r"jobs\[1\].arrival"),
        (["jobs", 1], 3, r"jobs\[1\]: expected {kind, arrival}, found 3"),
        (["tasks", 3, "job"], 4, r"tasks\[3\].job: expected in \[0, 4\), found 4"),
        (["tasks", 3, "job"], -1, r"tasks\[3\].job"),
        (["tasks", 3, "task"], 1, r"tasks\[3\].task: expected in \[0, 1\), found 1"),
        (["tasks", 0, "task"], 3, r"tasks\[0\].task: expected in \[0, 3\), found 3"),
        (["tasks", 0, "task"], -1, r"tasks\[0\].task"),
        (["tasks", 0, "pe"], 2, r"tasks\[0\].pe: expected in \[0, 2\), found 2"),
        (["tasks", 0, "pe"], 0.0, r"tasks\[0\].pe: expected an integer"),
        (["tasks", 0, "start"], float("inf"), r"tasks\[0\].start"),
        (["tasks", 0, "end"], 2**53 + 1, r"tasks\[0\].end"),
        (["tasks", 0, "end"], -(2**53) - 2, r"tasks\[0\].end"),
        (["cost"], None, "cost: expected a number"),
    ],
)
def test_a_value_out_of_range_is_named(path, value, field):
    assert solution_from_json(WORLD, ROWS.to_json()).to_json() == ROWS.to_json()
    with pytest.raises(InputError, match=f"^{field}"):
        solution_from_json(WORLD, changed(path, value))


def test_schedules_without_rows_and_whole_numbers_are_read():
    empty = {**ROWS.to_json(), "tasks": [], "cost": 20}
    assert solution_from_json(WORLD, empty).cost == 20.0
    nobody = {**empty, "jobs": []}
    assert len(solution_from_json(WORLD, nobody).kind) == 0
    large = solution_from_json(WORLD, changed(["tasks", 0, "end"], 2**53))
    assert large.end[0] == 2.0**53
    wrongs: list[Any] = [*([], None, 3)]
    for wrong in wrongs:
        with pytest.raises(InputError, match="expected an object"):
            solution_from_json(WORLD, wrong)


def workflow(**changes):
    """Task a makes f and g for b and c, b makes h for c; i is made by none of them."""
    tasks = [
        {"id": "a", "children": ["b", "c"], "outputFiles": ["f", "g"]},
        {"id": "b", "children": ["c"], "inputFiles": ["f", "i"], "outputFiles": ["h"]},
        {"id": "c", "inputFiles": ["f", "g", "h"]},
    ]
    sizes = {"f": 10, "g": 200, "h": 3000, "i": 40000}
    runs = [{"id": key, "runtimeInSeconds": s} for key, s in (("c", 1), ("b", 2.0), ("a", 4))]
    return {
        "workflow": {
            "specification": {
                "tasks": tasks,
                "files": [{"id": key, "sizeInBytes": size} for key, size in sizes.items()],
            },
            "execution": {"tasks": runs},
            **changes,
        }
    }


def read(tmp_path, document, name="auto"):
    path = tmp_path / "flow.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return READERS[name](path)


@pytest.mark.parametrize("name", ["auto", "wfcommons"])
def test_volumes_are_what_parents_make_and_children_use(tmp_path, name):
    instance = read(tmp_path, workflow(), name)
    (job,) = instance.jobs
    assert (instance.name, job.name) == ("flow", "flow")
    assert job.task_names == ("a", "b", "c")
    assert job.edge.tolist() == [[0, 0, 1], [1, 2, 2]]
    assert job.volume.tolist() == [10, 210, 3000]
    assert job.duration.tolist() == [[8, 4, 4, 2], [4, 2, 2, 1], [2, 1, 1, 0.5]]
    assert instance.platform.pe_names == ("machine-0", "machine-1", "machine-2", "machine-3")
    assert (instance.platform.bandwidth == 125e6).all()


def test_a_workflow_without_files_moves_nothing(tmp_path):
    document = workflow()
    specification = document["workflow"]["specification"]
    del specification["files"]
    for task in specification["tasks"]:
        task.pop("inputFiles", None)
    assert read(tmp_path, document).jobs[0].volume.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("[1]", "expected a JSON object"),
        ("{", "expected JSON"),
        (workflow(execution={"tasks": []}), "'a' is missing"),
        (workflow(execution={"tasks": 3}), "workflow.execution.tasks: expected a list"),
        (
            workflow(specification={"tasks": [{"id": "a", "children": ["z"]}]}),
            "there is no task 'z'",
        ),
        (workflow(execution=None), "workflow.execution: expected an object"),
        ({"workflow": []}, "workflow: expected an object"),
    ],
)
def test_bad_workflows_are_refused_with_the_file(tmp_path, document, words):
    with pytest.raises(InputError, match=rf"flow\.json.*{words}"):
        read(tmp_path, document)


def test_own_documents_are_read_back_and_refused_by_field(tmp_path):
    document = WORLD.to_json()
    for name in ("auto", "json"):
        assert read(tmp_path, document, name).to_json() == document
    document["platform"]["bandwidth"] = 3
    with pytest.raises(InputError, match=r"flow\.json.*bandwidth"):
        read(tmp_path, document)


def test_files_that_can_not_be_read_are_named(tmp_path):
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for name in ("auto", "json", "wfcommons"):
        with pytest.raises(InputError, match=r"binary\.json.*binary data"):
            READERS[name](tmp_path / "binary.json")
        with pytest.raises(InputError, match=r"none\.json.*no such file"):
            READERS[name](tmp_path / "none.json")
