"""What a serving system does by itself: batching, order of admission, preemption, routing."""

from __future__ import annotations

from dataclasses import dataclass

from graphsched.envs.core.errors import InputError
from graphsched.envs.core.parts.options import seen
from graphsched.envs.core.parts.values import python_scalars

KINDS = ("route", "admit", "budget", "preempt")
BATCHINGS = ("request-level", "orca", "vllm-v0", "sarathi", "vllm-v1")
REQUEST_LEVEL, ORCA, VLLM_V0, SARATHI, VLLM_V1 = range(5)
ORDERS = ("fcfs", "sjf", "srtf", "ltr", "priority", "urgency", "edf", "vtc", "batchllm")
FCFS, SJF, SRTF, LTR, PRIORITY, URGENCY, EDF, VTC, BATCHLLM = range(9)
ROUTERS = (
    "round-robin",
    "random",
    "least-outstanding",
    "least-prefill",
    "speed-weighted",
    "power-of-two",
    "prefix-affinity",
    "hexgen",
    "llumnix",
    "least-ttft",
    "e2",
    "sticky",
)
PREEMPTIONS = ("recompute", "swap")
BUDGETS = (128, 256, 512, 1024, 2048)  # tokens, on offer to whoever sets the budget


@dataclass(frozen=True)
class Scheduler:
    """A complete set of rules.

    Attributes:
        batching: how batches are formed. ``request-level``: new requests enter when all old ones
            are through. ``orca``: in every iteration (Yu et al. 2022), whole prompts, memory for
            the longest output reserved. ``vllm-v0``: a batch of prompts whenever one fits, else
            all decodes (Kwon et al. 2023). ``sarathi``: decodes, then chunks of running prompts,
            then new ones within a token budget (Agrawal et al. 2024). ``vllm-v1``: running
            requests in order, then new ones, blocks by the chunk.
        budget: tokens of a batch at most; 0 takes the largest of `BUDGETS` whose iteration
            meets the tightest TPOT target of the running requests.
        max_seqs: running requests of a replica at most.
        watermark: share of KV blocks that admission leaves free.
        preemption: what happens to the last running request when blocks run out: its tokens are
            computed again (``recompute``) or its blocks wait in the host's memory (``swap``),
            unless it would keep more blocks of its prefix for itself alone than it gives.
        order: which queued request is admitted next: ``fcfs``; least predicted service time
            (``sjf``), of what is left of it (``srtf``); predicted output length alone (``ltr``,
            as learning to rank does); ``priority``; least slack to its target (``urgency``);
            nearest deadline of what is still to come (``edf``); of the tenant that was served
            least for its share (``vtc``, Sheng et al. 2024); prefix groups together, those of much
            output for their prompts first (``batchllm``, Zheng et al. 2024).
        aging: seconds that a second of waiting takes off the key of ``sjf``, ``srtf``, ``ltr``.
        passes: how often later requests that fit may be admitted before a queued one that does
            not; 0: the first that does not fit ends admission, as in vLLM. It is backfilling of
            EASY (Lifka 1995; Mu'alem and Feitelson 2001) with a bound in place of a reservation,
            which would need true run times.
        doomed: whether requests that can't meet their targets any more, by their predicted length,
            go last in any order.
        router: which replica an arrival goes to, see `ROUTERS`.
        alpha: weight of speed against load in router ``hexgen``.
        load_window_s: past whose requests are the load of a replica to router ``e2``.
        prefix_cache: whether prefixes are kept and shared.
        displace: seconds of slack that a running request must have more than a queued one which does
            not fit, but can still be in time, to make room for it; it goes on later, as
            ``preemption`` says. 0: never.
        claim: seconds of slack from which on a queued request claims that room.
        migration: whether running requests move between replicas, as of Llumnix (Sun et al. 2024):
            from the one of least freeness to the one of most, while they decode.
        migrate_every: iterations of a replica between looks at all of them.
        migrate_below: freeness, in KV blocks by running request, below which one is left.
        migrate_margin: by how much more the other one has to have.
    """

    batching: str = "sarathi"
    budget: int = 512
    max_seqs: int = 128
    watermark: float = 0.01
    preemption: str = "recompute"
    order: str = "fcfs"
    aging: float = 0.0
    passes: int = 0
    doomed: bool = False
    router: str = "least-prefill"
    alpha: float = 0.5
    load_window_s: float = 180.0
    prefix_cache: bool = True
    displace: float = 0.0
    claim: float = 1.0
    migration: bool = False
    migrate_every: int = 16
    migrate_below: float = -3.0
    migrate_margin: float = 6.0

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the field."""
        python_scalars(self)
        choices = (
            ("batching", BATCHINGS),
            ("preemption", PREEMPTIONS),
            ("order", ORDERS),
            ("router", ROUTERS),
        )
        for name, known in choices:
            if getattr(self, name) not in known:
                problem = f"not one of {', '.join(known)}: {getattr(self, name)!r:.40}"
                raise InputError(name, problem)
        for name, least, most in (
            ("budget", 0, 10**6),
            ("max_seqs", 1, 4096),
            ("passes", 0, 10**6),
            ("migrate_every", 1, 10**6),
        ):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise InputError(
                    name, f"expected a count in [{least}, {most}], found {value!r:.40}"
                )
        for name, limit in (
            ("watermark", 0.5),
            ("aging", 1e6),
            ("alpha", 1.0),
            ("displace", 1e6),
            ("claim", 1e6),
            ("load_window_s", 1e6),
        ):
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 <= value <= limit:
                raise InputError(name, f"expected a number in [0, {limit:g}], found {value!r:.40}")
        for name, lowest in (("migrate_below", -1e6), ("migrate_margin", 0.0)):
            value = getattr(self, name)
            if type(value) not in (int, float) or not lowest <= value <= 1e6:
                expected = f"expected a number in [{lowest:g}, 1e+06]"
                raise InputError(name, f"{expected}, found {value!r:.40}")
        for name in ("prefix_cache", "doomed", "migration"):
            if type(getattr(self, name)) is not bool:
                problem = f"expected true or false: {getattr(self, name)!r:.40}"
                raise InputError(name, problem)


@dataclass(frozen=True)
class BatchingOptions(Scheduler):
    """Simulator options: which decisions are the agent's; the rest follow the rules.

    Attributes:
        agent: decisions offered: the replica of an arrival (``route``), the next request admitted
            on a replica (``admit``), the token budget of its next iterations (``budget``), who
            leaves so that a queued request fits (``preempt``).
        window: queued requests offered at most, in the order of their keys.
        budget_every: iterations of a replica between decisions on its budget.
        graph_window: requests that are nodes of the graph at each decision, at most; 0: the graph
            holds the replicas alone and stays the same.
    """

    agent: str = "route+admit"
    window: int = 8
    budget_every: int = 32
    graph_window: int = seen(0)

    def __post_init__(self) -> None:
        """Validate; raises InputError naming the option."""
        super().__post_init__()
        words = str(self.agent).split("+")
        if words != ["none"] and (len(set(words)) < len(words) or not set(words) <= set(KINDS)):
            expected = f"expected none, or some of {', '.join(KINDS)} joined by +"
            raise InputError("agent", f"{expected}, found {self.agent!r:.40}")
        for name, least in (("window", 2), ("budget_every", 1), ("graph_window", 0)):
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= 1000:
                raise InputError(name, f"expected a count in [{least}, 1000], found {value!r:.40}")
