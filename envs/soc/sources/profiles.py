"""Jobs and platforms that the field knows.

* ``top``: the ten tasks of Topcuoglu, Hariri & Wu 2002 ("Performance-effective and low-complexity
  task scheduling for heterogeneous computing"), on three PEs.
* WiFi transmitter and receiver, and the default SoC, of the DS3 simulator (Arda et al. 2020, "DS3:
  a system-level domain-specific system-on-chip simulation framework"); times in microseconds.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from graphsched.envs.soc.instance import Job, Platform
from graphsched.envs.soc.sources.shapes import layered

TOP_TIMES = (
    *((14, 16, 9), (13, 19, 18), (11, 13, 19), (13, 8, 17), (12, 13, 10)),
    *((13, 16, 9), (7, 15, 11), (5, 11, 14), (18, 12, 20), (21, 7, 16)),
)
TOP_EDGES = (
    *((0, 1, 18), (0, 2, 12), (0, 3, 9), (0, 4, 11), (0, 5, 14), (1, 7, 19), (1, 8, 16)),
    *(
        (2, 6, 23),
        (3, 7, 27),
        (3, 8, 23),
        (4, 8, 13),
        (5, 7, 15),
        (6, 9, 17),
        (7, 9, 11),
        (8, 9, 13),
    ),
)
CLUSTERS = {  # PEs by capacity and watts of a running task
    "A7": (4, 0.1),
    "A15": (4, 0.445),
    "MM": (2, 0.05),
    "FFT": (4, 0.0913),
    "VIT": (2, 0.0589),
}
# time of each kind of task on A7 and A15, and on an accelerator
TIMES: dict[str, tuple[float, float, dict[str, float]]] = {
    "scrambler": (22, 10, {}),
    "interleaver": (10, 4, {}),
    "qpsk": (15, 8, {}),
    "pilot_insertion": (5, 3, {}),
    "ifft": (296, 118, {"FFT": 16}),
    "crc": (5, 3, {}),
    "end": (0, 0, {}),
    "match_filter": (16, 5, {}),
    "payload_extraction": (8, 4, {}),
    "fft": (289, 114, {"FFT": 12}),
    "pilot": (6, 4, {}),
    "qpsk_demodulation": (191, 95, {}),
    "deinterleaver": (16, 9, {}),
    "format_conversion": (7, 4, {}),
    "viterbi_decoder": (1828, 739, {"VIT": 2}),
    "descrambler": (3, 2, {}),
    "message_decode": (90, 39, {}),
}
# head, steps of each chain with the volume that they receive, tail with the volumes along it
Steps = tuple[tuple[str, float], ...]
TX_CHAIN: Steps = (
    *(("interleaver", 2000), ("qpsk", 3000), ("pilot_insertion", 3000)),
    *(("ifft", 10), ("crc", 80)),
)
RX_CHAIN: Steps = (
    *(("payload_extraction", 3000), ("fft", 30), ("pilot", 80)),
    *(("qpsk_demodulation", 3000), ("deinterleaver", 3000), ("format_conversion", 3000)),
)
RX_TAIL: Steps = (("viterbi_decoder", 3000), ("descrambler", 3000), ("message_decode", 3000))
CHAINS = 5


def _job(
    name: str, names: tuple[str, ...], times: np.ndarray, edges: tuple[tuple[int, int, float], ...]
) -> Job:
    table = np.array(edges, float).reshape(-1, 3)
    return Job(name, names, times, table[:, :2].astype(np.int64).T.copy(), table[:, 2].copy())


@cache
def top_job() -> Job:
    """The canonical graph of ten tasks; HEFT needs 80, the optimum is 73."""
    names = tuple(f"t{i}" for i in range(10))
    return _job("top", names, np.array(TOP_TIMES, float), TOP_EDGES)


@cache
def top_platform() -> Platform:
    """Three PEs, bandwidth 1."""
    return Platform("three", ("p0", "p1", "p2"), np.ones((3, 3)))


@cache
def mix_jobs() -> tuple[Job, ...]:
    """`top_job` and four layered graphs of ten tasks for its platform, drawn once and for all."""
    jobs = [top_job()]
    for k in range(1, 5):
        rng = np.random.default_rng(k)
        edge = layered(rng, 10)
        times = rng.integers(5, 22, (10, 3)).astype(float)
        volume = rng.integers(9, 28, edge.shape[1]).astype(float)
        jobs.append(Job(f"layered{k}", tuple(f"t{i}" for i in range(10)), times, edge, volume))
    return tuple(jobs)


@cache
def default_soc() -> Platform:
    """DS3's default SoC: 16 units in 5 clusters; links into the FFT units from the others are slow."""
    names = tuple(CLUSTERS)
    link = np.full((len(names), len(names)), 1000.0)
    link[:3, names.index("FFT")] = 10.0
    capacity = np.array([units for units, _ in CLUSTERS.values()], float)
    watts = np.array([power for _, power in CLUSTERS.values()])
    return Platform("ds3-default-soc", names, link, capacity, busy_power=watts)


def _wifi(name: str, head: str, chain: Steps, tail: Steps) -> Job:
    """A head, five equal chains and a tail."""
    kinds, edges, ends = [head], [], []
    for _ in range(CHAINS):
        before = 0
        for step, volume in chain:
            edges.append((before, len(kinds), volume))
            before = len(kinds)
            kinds.append(step)
        ends.append(before)
    for step, volume in tail:
        edges += [(i, len(kinds), volume) for i in ends]
        ends = [len(kinds)]
        kinds.append(step)
    times = np.full((len(kinds), len(CLUSTERS)), np.inf)
    for i, kind in enumerate(kinds):
        small, large, units = TIMES[kind]
        for cluster, time in {"A7": small, "A15": large, **units}.items():
            times[i, list(CLUSTERS).index(cluster)] = time
    return _job(name, tuple(f"{kind}-{i}" for i, kind in enumerate(kinds)), times, tuple(edges))


@cache
def wifi_jobs() -> tuple[Job, Job]:
    """WiFi transmitter (27 tasks) and receiver (34 tasks)."""
    tx = _wifi("wifi-tx", "scrambler", TX_CHAIN, (("end", 0.0),))
    return tx, _wifi("wifi-rx", "match_filter", RX_CHAIN, RX_TAIL)
