"""Gantt charts of job shop schedules: a row for each machine, a colour for each job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphsched.envs.core.parts.chart import Bar, Chart, Mark, drawers, palette
from graphsched.envs.jobshop.bounds import lower_bound

if TYPE_CHECKING:
    from graphsched.envs.jobshop.instance import JobShopInstance
    from graphsched.envs.jobshop.solution import JobShopSolution


def _bars(instance: JobShopInstance, solution: JobShopSolution) -> tuple[Bar, ...]:
    step = np.arange(instance.num_operations) - instance.job_ptr[instance.job]
    last = np.diff(instance.job_ptr)[instance.job] - 1
    columns = (solution.machine, solution.start, solution.end, instance.job, step, last)
    return tuple(
        Bar(m, a, b, j, str(j), f"job {j}, operation {k} of 0–{z}, machine {m}")
        for m, a, b, j, k, z in zip(*(column.tolist() for column in columns), strict=True)
    )


def _chart(instance: JobShopInstance, solution: JobShopSolution) -> Chart:
    jobs, machines, makespan = instance.num_jobs, instance.num_machines, solution.makespan
    bound = lower_bound(instance)
    excess = 100 * (makespan / bound - 1) if bound else 0.0
    busy = 100 * int(instance.duration.sum()) / (max(makespan, 1) * machines)
    return Chart(
        name=instance.name,
        summary=f"makespan {makespan}, lower bound {bound:.0f}, {jobs} jobs, {machines} machines",
        axis="time",
        bars=_bars(instance, solution),
        groups=palette(f"job {j}" for j in range(jobs)),
        kind="job",
        rows=tuple(f"machine {m}" for m in range(machines)),
        marks=(
            Mark(bound, f"lower bound {bound:.0f}", is_bound=True),
            Mark(makespan, f"makespan {makespan}"),
        ),
        facts=(
            ("makespan", f"{makespan}"),
            ("lower bound", f"{bound:.0f} (+{excess:.1f}%)"),
            ("jobs × machines", f"{jobs} × {machines}"),
            ("operations", f"{instance.num_operations}"),
            ("machines busy", f"{busy:.0f}%"),
        ),
    )


render_text, render_rgb, render_html = drawers(_chart)
