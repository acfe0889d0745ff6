"""Proven schedules are never worse than any other, where operations take no time as well."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsched.envs.core.domain import SolverOptions
from graphsched.envs.jobshop import DOMAIN
from graphsched.envs.jobshop.baselines.cpsat import solve_with_bound
from graphsched.envs.jobshop.instance import JobShopInstance

OPERATIONS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0, 0, 1, 2, 3, 7])), min_size=1, max_size=4
)


@pytest.mark.differential
@settings(max_examples=120)
@given(st.lists(st.tuples(OPERATIONS, st.integers(0, 4)), min_size=1, max_size=4))
def test_exact_schedules_are_never_worse_than_others(rows):
    jobs, release = [list(job) for job, _ in rows], [at for _, at in rows]
    instance = JobShopInstance.from_jobs("j", jobs, release_time=release)
    best, bound = solve_with_bound(instance, SolverOptions(time_limit_s=20.0))
    assert DOMAIN.check(instance, best) == []
    assert DOMAIN.lower_bound(instance) <= bound == best.makespan
    brief = SolverOptions(time_limit_s=0.005)
    for name in DOMAIN.baselines:
        if name != "cp-sat":
            other = DOMAIN.baseline(name, brief)(instance)
            assert DOMAIN.check(instance, other) == [], name
            assert best.makespan <= other.makespan, name
