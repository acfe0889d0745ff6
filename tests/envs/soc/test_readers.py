"""Readers understand DS3's and WfCommons' files, and name file and line of what is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphsched.envs.core.errors import InputError
from graphsched.envs.soc.readers import READERS

JOB = """# a comment
job_name Demo
add_new_tasks 3
first 0
first HEAD
first earliest_start 0 deadline 2 input_vol 0 output_vol 0
second 1 0
third 2 0 1
third TAIL
comm_vol 0 1 18
comm_vol 0 2 12
comm_vol 1 2 7
"""
SOC = """
add_new_resource resource_type CPU resource_name P1 resource_ID 0 capacity 2 num_supported_functionalities 3 DVFS_mode performance
opp 1000 900
trip_freq -1 -1 -1
power_profile 1000 0.1 0.2
first 14
second 13
third 11
add_new_resource resource_type ACC resource_name P2 resource_ID 1 capacity 1 num_supported_functionalities 1 DVFS_mode none
second 3
add_new_resource resource_type MEM resource_name M1 resource_ID 2 capacity 1 num_supported_functionalities 1 DVFS_mode none
None 0
comm_band_self 10000
comm_band 0 2 2
comm_band 1 2 4
"""


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
        (JOB, SOC.replace("third 11\n", ""), "'third'.*no PE"),
        (JOB, SOC.replace("second 3", "second nan"), r"SoC.demo.txt, line 10: .*nan"),
        (JOB, SOC.replace("second 3", "second"), r"SoC.demo.txt, line 10: .*cut"),
        (JOB, SOC.replace("comm_band 1 2 4", "comm_band 1 2 0"), "bandwidth > 0"),
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
    with pytest.raises(InputError, match="found 2"):
        READERS["ds3"](path)


WORKFLOW = {
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


def test_a_broken_workflow_names_what_is_missing(tmp_path):
    path = tmp_path / "w.json"
    path.write_text(json.dumps({"workflow": {"specification": {"tasks": []}}}))
    with pytest.raises(InputError, match=r"w\.json.*'execution'"):
        READERS["auto"](path)
