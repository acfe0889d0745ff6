"""Measures, bounds and documents agree with figures worked out by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from graphsched.envs.batching.bounds import cost, lower_bound
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.instance import BatchingInstance, Replica, make_requests
from graphsched.envs.batching.metrics import metrics
from graphsched.envs.batching.readers import READERS
from graphsched.envs.batching.solution import solution_from_json
from graphsched.envs.core.errors import InputError
from tests.envs.batching.hand import log, shop

# Request 0 has its tokens at 1, 2 and 3 s; request 1 comes at 0.5 s and has its only one at 2 s.
ROWS: dict[str, list[Any]] = {
    "home": [0, 0],
    "spans": [(0, 0, 1, 40), (0, 1, 2, 1), (1, 1, 1, 20)],
    "entries": [(0, 0, 0, 0), (1, 1, 0, 0)],
}


def pair(**columns):
    facts = {"arrival_s": [0.0, 0.5], "tenant": [0, 4], "ttft_s": [9.0] * 2, "tpot_s": [9.0] * 2}
    return shop([40, 20], [3, 1], (10,), **{**facts, **columns})


def test_measures_by_hand():
    found = metrics(pair(), log(**ROWS))
    assert found["goodput /s"] == pytest.approx(2 / 3)
    assert found["requests /s"] == pytest.approx(2 / 3)
    assert found["tokens /s"] == pytest.approx(4 / 3)
    ttft = [found[f"TTFT {name}"] for name in ("p50", "p90", "p99", "max")]
    assert ttft == pytest.approx([1.25, 1.45, 1.495, 1.5])
    # one token has no pace
    assert [found[f"TPOT {q}"] for q in ("p50", "p90", "p99", "max")] == pytest.approx([1.0] * 4)
    assert [found[f"TBT {q}"] for q in ("p50", "p90", "p99", "max")] == pytest.approx([1.0] * 4)
    assert found["normalised latency"] == pytest.approx((3 / 3 + 1.5) / 2)
    assert found["max slowdown"] == pytest.approx(1.5)
    rates = (43 / 3, 21 / 1.5)
    jain = sum(rates) ** 2 / (2 * sum(r * r for r in rates))
    assert found["fairness"] == pytest.approx(jain)
    # 20 tokens on average in the first second, 41 in two more; 10 in one; of 160 for 3 s
    assert found["KV use %"] == pytest.approx(100 * (20 + 2 * 41 + 10) / (160 * 3))
    assert (found["preemptions"], found["rejected"]) == (0, 0)


def test_rates_of_a_short_log_count_by_its_own_time():
    found = metrics(pair(), log(**ROWS, times=[0.25, 0.5, 0.75]))
    assert found["requests /s"] == pytest.approx(2 / 0.75)


def test_one_tenant_is_always_treated_alike():
    assert metrics(pair(tenant=[1, 1]), log(**ROWS))["fairness"] == pytest.approx(1.0)


def test_kv_use_begins_with_what_was_found_and_counts_every_replica():
    columns = {"group": [0, 0], "shared": [0, 16], "extends": [16, 16]}
    rows = {**ROWS, "spans": [*ROWS["spans"][:2], (1, 1, 1, 4)]}
    rows["entries"] = [(0, 0, 0, 0), (1, 1, 16, 0)]
    found = metrics(pair(**columns), log(**rows))
    assert found["KV use %"] == pytest.approx(100 * (20 + 82 + 18) / (160 * 3))
    two = shop([40, 20], [3, 1], (10, 6))
    assert metrics(two, log(**rows))["KV use %"] == pytest.approx(100 * 120 / (256 * 3))


def test_a_request_that_was_rejected_has_no_times():
    rows = {"home": [0, -1], "spans": ROWS["spans"][:2], "entries": ROWS["entries"][:1]}
    found = metrics(pair(weight=[1.0, 3.0]), log(**rows, leaves=[(0, 3, 0)]))
    assert (found["rejected"], found["preemptions"]) == (1, 1)
    assert found["SLO %"] == pytest.approx(25.0)
    assert found["goodput /s"] == found["requests /s"] == pytest.approx(1 / 3)
    assert found["tokens /s"] == pytest.approx(1.0)
    assert found["TTFT max"] == found["normalised latency"] == pytest.approx(1.0)
    assert found["fairness"] == pytest.approx(0.5)  # one of two tenants gets everything


def test_nothing_served_measures_nothing():
    found = metrics(pair(), log([-1, -1], [], []))
    assert found["rejected"] == 2
    names = ("SLO %", "goodput /s", "tokens /s", "max slowdown", "KV use %", "normalised latency")
    assert [found[name] for name in names] == [0.0] * 6
    assert found["fairness"] == 1.0
    assert not any(name.startswith(("TTFT", "TPOT", "TBT")) for name in found)


@pytest.mark.parametrize(
    ("targets", "good"),
    [
        ({"ttft_s": [1.0, 1.5], "tpot_s": [1.0, 1.0], "deadline_s": [3.0, 1.5]}, 2),
        ({"ttft_s": [0.999, 1.5]}, 1),
        ({"ttft_s": [1.0, 1.499]}, 1),
        ({"tpot_s": [0.999, 9.0]}, 1),
        ({"tpot_s": [9.0, 1e-6]}, 2),  # there is no further token
        ({"deadline_s": [2.999, np.inf]}, 1),
        ({"deadline_s": [np.inf, 1.499]}, 1),
        ({"ttft_s": [1e-9, 1e-9]}, 0),
    ],
)
def test_targets_are_met_up_to_their_last_moment(targets, good):
    found = metrics(pair(**targets), log(**ROWS))
    assert found["goodput /s"] == pytest.approx(good / 3)
    assert found["SLO %"] == pytest.approx(50 * good)


def test_the_cost_is_a_mean_by_weight():
    """Request 0 has half of its targets' times, request 1 a quarter of its."""
    instance = pair(ttft_s=[2.0, 6.0], tpot_s=[2.0, 9.0], weight=[3.0, 1.0])
    expected = (3 * 10 * 0.5 / 1.5 + 10 * 0.25 / 1.25) / 4
    assert cost(instance, log(**ROWS)) == pytest.approx(expected)
    rows = {"home": [0, -1], "spans": ROWS["spans"][:2], "entries": ROWS["entries"][:1]}
    expected = (3 * 10 * 0.5 / 1.5 + 100) / 4
    assert cost(instance, log(**rows)) == pytest.approx(expected)


READ = 131072 / (2.039e12 * 0.712)  # an A100 reading the keys and values of a token of Llama-3-8B
PRODUCT = 4 * 32 * 4096 / (312e12 * 0.563)


def bound_of(tmp_path, profile, prompt, output, blocks=600, **columns):
    """Bound for one request on a card whose linear operators take what the profile says."""
    path = tmp_path / "card.csv"
    path.write_text("tokens,linear_ms\n" + profile)
    none = np.zeros((2, 0), np.int64)
    facts = {"ttft_s": [4.0], "tpot_s": [2.0], **columns}
    requests = make_requests([0.0], [prompt], [output], **facts)
    fleet = (Replica(str(path), kv_blocks=blocks),)
    return lower_bound(BatchingInstance("one", requests, fleet, none))


def late(ratio):
    return 10 * ratio / (1 + ratio) + 70 * (ratio > 1)


def test_a_request_alone_takes_an_iteration_at_least_for_its_prompt(tmp_path):
    """10 ms whatever the tokens are."""
    flat = "8,10\n4096,10\n"
    first = 0.010 + PRODUCT * 40 * 20
    found = bound_of(tmp_path, flat, 40, 1, ttft_s=[0.1], tpot_s=[1e-6])
    assert found == pytest.approx(late(first / 0.1), rel=1e-9)
    pace = 0.010 + 0.656e-3 + 2.37e-6 + 40 * READ
    found = bound_of(tmp_path, flat, 40, 9, ttft_s=[9.0], tpot_s=[0.1])
    assert found == pytest.approx(late(pace / 0.1), rel=1e-9)
    found = bound_of(tmp_path, flat, 40, 9, ttft_s=[9.0], tpot_s=[9.0], deadline_s=[0.5])
    assert found == pytest.approx(late((first + 8 * pace) / 0.5), rel=1e-9)
    found = bound_of(tmp_path, flat, 40, 9, ttft_s=[9.0], tpot_s=[0.005])
    assert found == pytest.approx(late(pace / 0.005), rel=1e-9)


def test_a_long_prompt_takes_its_tokens_at_the_best_rate(tmp_path):
    """A millisecond for 8 tokens at any size: 400 tokens take 50 ms, in however many parts."""
    found = bound_of(tmp_path, "8,1\n4096,512\n", 400, 1, ttft_s=[0.1])
    assert found == pytest.approx(late((0.050 + PRODUCT * 400 * 200) / 0.1), rel=1e-9)


@pytest.mark.parametrize(
    ("prompt", "columns", "cached"),
    [
        (400, {"group": [0], "shared": [48], "extends": [48]}, 48),
        (400, {"group": [0], "shared": [47], "extends": [48]}, 32),
        (400, {"group": [-1], "shared": [48], "extends": [48]}, 0),
        # a token is left to compute
        (400, {"group": [0], "shared": [400], "extends": [400]}, 384),
        (401, {"group": [0], "shared": [401], "extends": [401]}, 400),
    ],
)
def test_whole_blocks_of_a_prefix_count_as_cached(tmp_path, prompt, columns, cached):
    tokens = prompt - cached
    first = max(0.001, tokens / 8e3) + PRODUCT * tokens * (cached + 0.5 * tokens)
    found = bound_of(tmp_path, "8,1\n4096,512\n", prompt, 1, ttft_s=[0.1], **columns)
    assert found == pytest.approx(late(first / 0.1), rel=1e-9)


def test_the_first_token_needs_a_place_too(tmp_path):
    flat = "8,10\n4096,10\n"
    assert bound_of(tmp_path, flat, 95, 1, blocks=6) < 100
    assert bound_of(tmp_path, flat, 96, 1, blocks=6) == 100


def test_the_best_replica_and_the_weights_count(tmp_path):
    for name, time in (("slow", 20), ("fast", 10)):
        text = f"tokens,linear_ms\n8,{time}\n4096,{time}\n"
        (tmp_path / f"{name}.csv").write_text(text)
    requests = make_requests([0.0, 0.0], [40, 999], [1, 1], weight=[3.0, 1.0], ttft_s=[0.1, 0.1])
    fleet = [Replica(str(tmp_path / f"{n}.csv"), kv_blocks=6) for n in ("slow", "fast", "slow")]
    instance = BatchingInstance("two", requests, tuple(fleet), np.zeros((2, 0), np.int64))
    first = 0.010 + PRODUCT * 40 * 20
    assert lower_bound(instance) == pytest.approx((3 * late(first / 0.1) + 100) / 4, rel=1e-9)


BAD = [
    ({"home": [0, 1]}, r"home\[1\]"),
    ({"home": [-2, 0]}, r"home\[0\]"),
    ({"home": [0, 0, 0]}, "home"),
    ({"replica": [0, 0, 1]}, r"replica\[2\]"),
    ({"replica": [0, -1, 0]}, r"replica\[1\]"),
    ({"replica": [0, 0]}, "begin_s"),
    ({"replica": [0, 0, 0.0]}, r"replica\[2\]"),
    ({"begin_s": [0, 1]}, "begin_s"),
    ({"end_s": [0, 1]}, "end_s"),
    ({"moved": [[0, 0]]}, "moved"),
    ({"moved": [[0, 0, 0]] * 3}, r"moved\[0\]"),
    ({"moved": [0, 0, 0]}, r"moved\[0\]"),
    ({"end_s": [1, 2, float("inf")]}, r"end_s\[2\]"),
    ({"span": [[2, 0, 0, 1, 1]]}, r"span\[0\]"),
    ({"span": [[-1, 0, 0, 1, 1]]}, r"span\[0\]"),
    ({"span": [[1, 0, 0, 1, 1], [0, 1, 0, 1, 1]]}, r"span\[1\]"),
    ({"span": [[0, -1, 0, 1, 1]]}, r"span\[0\]"),
    ({"span": [[0, 0, 0, 1, 1.5]]}, r"span\[0\].tokens"),
    ({"entry": [[2, 0, 0, 0, 0, 0]]}, r"entry\[0\].request"),
    ({"entry": [[0, 1, 0, 0, 0, 0]]}, r"entry\[0\].replica"),
    ({"entry": [[0, 0, 0, 0, 0, -1]]}, r"entry\[0\].blocks"),
    ({"leave": [[2, 0, 0, 0, 0]]}, r"leave\[0\].request"),
    ({"leave": [[0, 1, 0, 0, 0]]}, r"leave\[0\].replica"),
    ({"leave": [[0, 0, 0, 4, 0]]}, r"leave\[0\].why"),
    ({"leave": [[0, 0, 0, -1, 0]]}, r"leave\[0\].why"),
    ({"leave": [[0, 0, 0, 1, 1.5]]}, r"leave\[0\].blocks"),
    # logs that were written before blocks were
    ({"entry": [[0, 0, 0, 0, 0]]}, r"entry\[0\]: expected rows \[.*how, blocks\]"),
    ({"leave": [[0, 0, 0, 0]]}, r"leave\[0\]: expected rows \[.*why, blocks\]"),
    ({"entry": [[0, 0, 0, 0, 3, 0]]}, r"entry\[0\].how"),
    ({"transfer": [[0, 0, 0, 1, 3]], "sent_s": [[0, 1]]}, r"transfer\[0\].outcome"),
    ({"transfer": [[0, 0, 1, 1, 1]], "sent_s": [[0, 1]]}, r"transfer\[0\].target"),
    ({"transfer": [[0, 0, 0, 1, 1]]}, "sent_s: expected 1 rows, as in transfer"),
    ({"sent_s": [[0, 1]]}, "sent_s: expected 0 rows"),
    ({"sent_s": [[0]]}, r"sent_s\[0\]: expected a row"),
    ({"cost": True}, "cost"),
    ({"cost": float("nan")}, "cost"),
    ({"cost": "1"}, "cost"),
]


@pytest.mark.parametrize(("change", "field"), BAD)
def test_a_log_out_of_range_is_refused(change, field):
    instance = pair()
    document = log(**ROWS).to_json()
    assert solution_from_json(instance, document).to_json() == document
    with pytest.raises(InputError, match=rf"^{field}"):
        solution_from_json(instance, {**document, **change})


def test_values_at_the_end_of_their_ranges_are_read():
    instance = shop([40, 20], [3, 1], (10, 10))
    changes = {
        "home": [-1, 1],
        "replica": [0, 1, 1],
        "begin_s": [0, 1, 2],  # whole numbers are numbers
        "span": [[1, 1, 0, 1, 1]],
        "leave": [[0, 0, 0, 0, 0], [1, 1, 0, 2, 7]],
        "cost": 3,
    }
    document = {**log(**ROWS).to_json(), **changes}
    assert solution_from_json(instance, document).to_json() == document
    with pytest.raises(InputError, match="expected an object"):
        solution_from_json(instance, [document])  # type: ignore[arg-type]  # no object


def test_a_log_of_nothing_is_read():
    document = log([-1, -1], [], []).to_json()
    assert solution_from_json(pair(), document).to_json() == document


AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
BURST = "Timestamp,Model,Request tokens,Response tokens\n"


def read(tmp_path, text, name="auto", file="trace.csv"):
    path = tmp_path / file
    path.write_text(text)
    return READERS[name](path)


def test_azure_times_may_have_zones_and_no_fraction(tmp_path):
    rows = "2024-05-10 00:00:00.5+00:00,10,1\n2024-05-10 00:00:02+00:00,20,2\n"
    instance = read(tmp_path, AZURE + rows)
    assert instance.requests.arrival_s.tolist() == [0.0, 1.5]
    assert instance.name == "trace"
    assert instance.replicas == (Replica(),)


def test_blank_lines_and_spaces_in_headers_are_skipped(tmp_path):
    text = " TIMESTAMP , ContextTokens,GeneratedTokens\n\n2024-05-10 00:00:00,10,1\n\n"
    assert read(tmp_path, text, "azure").requests.prompt.tolist() == [10]
    with pytest.raises(InputError, match=r"trace\.csv, line 5, ContextTokens"):
        read(tmp_path, text + "2024-05-10 00:00:00,-1,1\n", "azure")


def test_equal_times_are_in_order_and_counts_may_be_written_as_floats(tmp_path):
    requests = read(tmp_path, BURST + "5,m,1.0,200000\n5,m,2,1\n0.5e1,m,2,0.0\n").requests
    assert requests.arrival_s.tolist() == [0, 0]
    assert requests.prompt.tolist() == [1, 2]
    assert requests.output.tolist() == [200_000, 1]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("5,m,1.5,1\n", r", line 2, Request tokens"),
        ("5,m,1,10000001\n", r", line 2, Response tokens"),
        ("-1,m,1,1\n", r", line 2, Timestamp"),
        ("soon,m,1,1\n", r", line 2, Timestamp: .*'soon'"),
        ("1e9,m,1,1\n", r", line 2, Timestamp"),
        ("5,m,1,0\n", "with prompt and output tokens at least"),
        ("5,m,1,1\n5,m,1\n", r", line 3: .*expected 4 cells, found 3"),
        ("5,m,1,1\n5,m,1,1,1\n", r", line 3: .*expected 4 cells, found 5"),
        ("5,m,1,1\n7,m,1,1\n6,m,1,1\n", r", line 4: .*found 6.0 after 7.0"),
    ],
)
def test_bad_cells_are_named_by_line(tmp_path, rows, words):
    with pytest.raises(InputError, match=words):
        read(tmp_path, BURST + rows)


def test_the_earliest_and_the_latest_time_are_read(tmp_path):
    requests = read(tmp_path, BURST + "0,m,1,1\n999999999,m,1,1\n").requests
    assert requests.arrival_s.tolist() == [0, 999999999]


def test_arrivals_without_times_come_once_a_second(tmp_path):
    text = "num_prefill_tokens,num_decode_tokens\n" + "10,2\n" * 4000
    arrival = read(tmp_path, text).requests.arrival_s
    assert arrival[0] == 0
    assert arrival[-1] / 3999 == pytest.approx(1.0, rel=0.05)


def moon(*rows):
    keys = ("timestamp", "input_length", "output_length", "hash_ids")
    return "\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in rows)


def test_mooncake_prefixes_are_what_begins_alike(tmp_path):
    instance = read(
        tmp_path,
        moon(
            (0, 1100, 5, [1, 2, 3]),
            (1, 1200, 5, [1, 2, 3]),
            (2, 100, 5, []),
            (3, 1536, 5, [1, 9, 3]),
            (4, 600, 5, [9, 2]),
            (5, 1024, 5, [1, 2]),
        ),
    )
    # [1, 2], [3] which fills no block, [9, 3] after the first block of these, [9], [2]
    assert instance.prefixes.parent.tolist() == [-1, 0, 0, -1, 3]
    assert instance.prefixes.start.tolist() == [0, 1024, 512, 0, 512]
    requests = instance.requests
    assert requests.group.tolist() == [1, 1, -1, 2, 4, 0]
    assert requests.shared.tolist() == [0, 1200, 0, 512, 0, 1024]
    assert requests.extends.tolist() == [1100, 1200, 0, 1536, 600, 1024]
    assert requests.arrival_s.tolist() == pytest.approx([0, 0.001, 0.002, 0.003, 0.004, 0.005])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (moon((0, 9, 5, [1])) + "\n[1]", r", line 2: expected a JSON object"),
        (
            moon((0, 9, 5, [1])) + '\n\n{"timestamp": 0}',
            r", line 3: field 'input_length' is missing",
        ),
        (moon((0, 9, 5, [True])), r", line 1, hash_ids"),
        (moon((0, 9, 5, [1]), (-1, 9, 5, [1])), r", line 2, timestamp"),
        (moon((0, 9, 5, [1]), (1, None, 5, [1])), r", line 2, input_length"),
    ],
)
def test_bad_mooncake_lines_are_named(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        read(tmp_path, text, "mooncake")


def test_an_empty_trace_is_refused(tmp_path):
    for name in ("azure", "burstgpt", "lengths", "mooncake"):
        with pytest.raises(InputError):
            read(tmp_path, "\n", name)
    for text in ("[1]", "{"):
        with pytest.raises(InputError, match="expected"):
            read(tmp_path, text, "json")
    with pytest.raises(InputError, match="no such file"):
        READERS["auto"](tmp_path / "nothing.csv")


def test_a_document_is_recognised_behind_blank_lines(tmp_path):
    document = GENERATORS["random"](np.random.default_rng(0), "4").to_json()
    assert read(tmp_path, "\n " + json.dumps(document)).to_json() == document
