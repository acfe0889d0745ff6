"""Readers understand DS3's and WfCommons' files, and name file and line of what is wrong."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.registry import get_domain
from graphsched.envs.core.specs import parse_instances
from graphsched.envs.soc.readers import READERS
from tests.envs.soc.files import JOB, SOC


def folder(tmp_path, job=JOB, soc=SOC):
    (tmp_path / "job_demo.txt").write_text(job)
    (tmp_path / "SoC.demo.txt").write_text(soc)
    return tmp_path / "job_demo.txt"


@pytest.mark.parametrize("name", ["auto", "ds3"])
def test_a_ds3_job_is_read_with_the_soc_beside_it(tmp_path, name):
    instance = READERS[name](folder(tmp_path))
    (job,) = instance.jobs
    assert job.name == "Demo"
    assert job.task_names == ("first", "second", "third")
    assert job.duration.tolist() == [[14, np.inf], [13, 3], [11, np.inf]]
    assert job.edge.tolist() == [[0, 0, 1], [1, 2, 2]]
    assert job.volume.tolist() == [18, 12, 7]
    assert instance.platform.capacity is not None
    assert instance.platform.capacity.tolist() == [2, 1]
    assert instance.platform.bandwidth[0, 1] == 2  # through the memory, whose slower half counts
    assert instance.ticks


@pytest.mark.parametrize(
    ("job", "soc", "words"),
    [
        (JOB.replace("add_new_tasks 3", "add_new_tasks 4"), SOC, "expected 4 tasks, found 3"),
        (JOB.replace("comm_vol 1 2 7\n", ""), SOC, "comm_vol for 1 to 2"),
        (JOB.replace("comm_vol 1 2 7", "comm_vol 1 2"), SOC, r"job_demo.txt, line 12: .*cut"),
        (JOB.replace("comm_vol 1 2 7", "comm_vol 1 2 -7"), SOC, r"job_demo.txt, line 12: .*-7"),
        (JOB.replace("third 2 0 1", "third 2 0 9"), SOC, "task 9, which does not exist"),
        (JOB.replace("third 2 0 1", "third x 0 1"), SOC, r"job_demo.txt, line 8: .*'x'"),
        (JOB.replace("second 1 0", "second 1 2"), SOC, "cycle|comm_vol for 2 to 1"),
        (JOB, SOC.replace("third 11\n", ""), "runs no task 'third'"),
        (JOB, SOC.replace("second 3", "second nan"), r"SoC.demo.txt, line 10: .*nan"),
        (JOB, SOC.replace("second 3", "second"), r"SoC.demo.txt, line 10: .*cut"),
        (JOB, SOC.replace("comm_band 1 2 4", "comm_band 1 2 0"), "bandwidth > 0"),
        (JOB, SOC.replace("comm_band 0 2 2", "comm_band 0 1 5e-324"), "SoC.demo.txt: .*1e-12"),
        (JOB, SOC.replace("comm_band 0 2 2", "comm_band 0 1 1e300"), "SoC.demo.txt: .*1e\\+300"),
        (JOB, SOC.replace("second 3", "power_profile 1 1e300\nsecond 3"), "SoC.demo.txt: .*power"),
        (JOB, SOC.replace("capacity 2 ", "capacity 1024 "), "SoC.demo.txt: .*at most 1024"),
        (JOB, SOC.replace("comm_band 1 2 4", ""), "no comm_band between resources 0 and 1"),
        ("", SOC, "is empty"),
        (JOB, "first 3\n", "add_new_resource first"),
    ],
)
def test_a_bad_ds3_file_is_refused_with_its_place(tmp_path, job, soc, words):
    with pytest.raises(InputError, match=words) as caught:
        READERS["ds3"](folder(tmp_path, job, soc))
    assert "\n" not in str(caught.value)


def test_a_ds3_job_needs_one_soc_beside_it(tmp_path):
    path = folder(tmp_path)
    (tmp_path / "SoC.other.txt").write_text(SOC)
    with pytest.raises(InputError, match=r"found 2; name it: .*job_demo.txt\+SOC"):
        READERS["ds3"](path)


def test_a_ds3_job_may_name_a_soc_that_lies_elsewhere(tmp_path):
    path = folder(tmp_path)
    (tmp_path / "far").mkdir()
    soc = (tmp_path / "SoC.demo.txt").rename(tmp_path / "far" / "chip.txt")
    named = f"{path}+{soc}"
    (instance,) = parse_instances(get_domain("soc"), named)
    assert instance.platform.name == "chip"
    assert instance.jobs[0].name == "Demo"
    with pytest.raises(InputError, match=r"chip.txt: a DS3 SoC file; expected a job"):
        parse_instances(get_domain("soc"), str(soc))
    with pytest.raises(InputError, match="no such file"):
        parse_instances(get_domain("soc"), f"{path}+{tmp_path}/none.txt")
    soc.write_text(SOC.replace("third", "fourth"))
    with pytest.raises(InputError, match=r"chip.txt: runs no task 'third'.*is it the job's SoC"):
        parse_instances(get_domain("soc"), named)


def test_ds3_settings_that_play_no_part_are_skipped_and_unknown_ones_named(tmp_path):
    more = "mesh_information SCE 5 11.4 9.12 gold\ncapacity 3\nfirst 14\n"
    instance = READERS["ds3"](folder(tmp_path, soc=SOC.replace("first 14\n", more)))
    assert instance.platform.capacity is not None
    assert instance.platform.capacity.tolist() == [3, 1]
    with pytest.raises(InputError, match=r"SoC.demo.txt, line 6: .*known setting, found 'cache L2"):
        READERS["ds3"](folder(tmp_path, soc=SOC.replace("first 14\n", "cache L2 4\nfirst 14\n")))


WORKFLOW: dict[str, Any] = {
    "name": "demo",
    "workflow": {
        "specification": {
            "tasks": [
                {"id": "a", "children": ["b"], "outputFiles": ["f"]},
                {"id": "b", "children": [], "inputFiles": ["f"]},
            ],
            "files": [{"id": "f", "sizeInBytes": 250_000_000}],
        },
        "execution": {
            "tasks": [{"id": "a", "runtimeInSeconds": 4.0}, {"id": "b", "runtimeInSeconds": 1.0}]
        },
    },
}


def test_a_workflow_is_read_with_its_files_as_transfers(tmp_path):
    path = tmp_path / "w.json"
    path.write_text(json.dumps(WORKFLOW))
    instance = READERS["auto"](path)
    (job,) = instance.jobs
    assert job.duration.tolist() == [[8, 4, 4, 2], [2, 1, 1, 0.5]]
    assert (job.volume[0] * instance.platform.slowness)[0, 1] == 2.0  # seconds at 1 Gbit/s


def _whole(version):
    """The same workflow as older versions write it."""
    size, seconds, tasks = "sizeInBytes", "runtimeInSeconds", "tasks"
    if version in ("1.2", "1.3"):
        size, seconds = "size", "runtime"
    if version == "1.2":
        tasks = "jobs"
    file = {"name": "f", size: 250_000_000}
    a = {"name": "a", seconds: 4.0, "children": ["b"], "files": [{"link": "output", **file}]}
    b = {"name": "b", seconds: 1.0, "parents": ["a"], "files": [{"link": "input", **file}]}
    if version == "1.4":
        a["id"], b["id"] = "a_1", "b_1"
    return {"name": "demo", "schemaVersion": version, "workflow": {tasks: [a, b]}}


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
def test_older_versions_say_the_same(tmp_path, version):
    path = tmp_path / "w.json"
    path.write_text(json.dumps(WORKFLOW))
    (expected,) = READERS["auto"](path).jobs
    path.write_text(json.dumps(_whole(version)))
    (job,) = READERS["auto"](path).jobs
    assert job.duration.tolist() == expected.duration.tolist()
    assert job.edge.tolist() == expected.edge.tolist()
    assert job.volume.tolist() == expected.volume.tolist()


@pytest.mark.parametrize("by", ["parents", "children", "both"])
def test_a_dependency_may_be_told_by_either_end(tmp_path, by):
    document = copy.deepcopy(WORKFLOW)
    first, second = document["workflow"]["specification"]["tasks"]
    if by == "parents":
        first["children"] = []
    if by != "children":
        second["parents"] = ["a"]
    path = tmp_path / "w.json"
    path.write_text(json.dumps(document))
    (job,) = READERS["auto"](path).jobs
    assert job.edge.tolist() == [[0], [1]]
    assert job.volume.tolist() == [250_000_000]


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("specification", "tasks", 1, "id"), "a", "ids, found 'a' twice"),
        (("specification", "tasks", 1, "parents"), ["x"], "there is no task 'x'"),
        (("specification", "files"), [], "there is no file 'f'"),
        (("specification", "tasks", 1, "id"), None, r"tasks\[1\].id: expected a name"),
        (("specification", "files", 0, "sizeInBytes"), "9", "sizeInBytes: expected a number"),
        (("execution", "tasks", 1, "runtimeInSeconds"), -1, "runtimeInSeconds: expected a number"),
        (("specification", "tasks", 1, "id"), [], r"tasks\[1\].id: expected a name"),
        (("execution", "tasks", 1), 7, r"execution.tasks\[1\]: expected an object"),
    ],
)
def test_what_is_wrong_in_a_workflow_is_named(tmp_path, place, value, words):
    document = copy.deepcopy(WORKFLOW)
    at = document["workflow"]
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    path = tmp_path / "w.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=words):
        READERS["auto"](path)


def test_a_broken_workflow_names_what_is_missing(tmp_path):
    path = tmp_path / "w.json"
    path.write_text(json.dumps({"workflow": {"specification": {"tasks": []}}}))
    with pytest.raises(InputError, match=r"w\.json: workflow\.execution: expected an object"):
        READERS["auto"](path)


def test_a_platform_of_many_pes_is_refused_before_their_links_are_looked_at(tmp_path):
    line = "add_new_resource resource_type {} resource_name P resource_ID {}\n"
    pes = "".join(line.format("CPU", i) + f"comm_band {i} 99999 1\n" for i in range(20_000))
    with pytest.raises(InputError, match=r"SoC.demo.txt: .*at most 1024, found 20000"):
        READERS["ds3"](folder(tmp_path, soc=line.format("MEM", 99999) + pes))


@pytest.mark.parametrize("link", [[], {}, 1, None, "both"])
def test_a_link_of_an_older_workflow_is_input_or_output(tmp_path, link):
    document = _whole("1.3")
    document["workflow"]["tasks"][0]["files"][0]["link"] = link
    path = tmp_path / "w.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"w.json: .*files\[0\].link: expected input or output"):
        READERS["auto"](path)


@pytest.mark.parametrize("name", [None, 7, ["x" * 999]])
def test_a_workflow_has_a_name_or_none_at_all(tmp_path, name):
    path = tmp_path / "w.json"
    path.write_text(json.dumps(WORKFLOW | {"name": name}))
    with pytest.raises(InputError, match=r"w.json: name: expected a name, found .{1,60}$"):
        READERS["auto"](path)
    path.write_text(json.dumps({"workflow": WORKFLOW["workflow"]}))
    assert READERS["auto"](path).jobs[0].name == "w"


@pytest.mark.parametrize(
    ("where", "key", "value"),
    [
        ("platform", "bandwidth", [[0, 5e-324], [1, 0]]),
        ("platform", "busy_power", [1e15, 1]),
        ("stream", "mix", [1.0] * 300),
        ("stream", "fill", "x" * 999),
    ],
)
@pytest.mark.filterwarnings("error")
def test_numbers_that_nothing_can_be_worked_out_with_are_named_shortly(tmp_path, where, key, value):
    document = get_domain("soc").generators["ds3gym"](np.random.default_rng(0), "").to_json()
    names, links = ["a", "b"], [[0, 1], [1, 0]]
    document["platform"] = {"name": "two", "pe_names": names, "bandwidth": links}
    document[where][key] = value
    path = tmp_path / "i.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=rf"i.json: {where}.{key}.*: .{{1,120}}$"):
        READERS["json"](path)
