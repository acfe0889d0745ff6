"""Readers understand published traces, and name file, row and field of what is wrong."""

from __future__ import annotations

import gzip
import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest

from graphsched.envs.batching import DOMAIN
from graphsched.envs.batching.generators import GENERATORS
from graphsched.envs.batching.hardware.iteration_time import linear_table, read_profile
from graphsched.envs.batching.instance import Replica, make_requests
from graphsched.envs.batching.readers import READERS
from graphsched.envs.core.errors import InputError
from graphsched.envs.core.specs import parse_instances

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:17:03.9799600,4808,10
2023-11-16 18:17:04.0319600,3180,8
"""
BURST = """Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type
5,0,1,ChatGPT,472,18,490,Conversation log
45,0,1,ChatGPT,1087,0,1087,Conversation log
118,0,1,GPT-4,417,276,693,Conversation log
"""
LENGTHS = "num_prefill_tokens,num_decode_tokens\n3772,54\n2015,156\n"
MOON = "\n".join(
    json.dumps({"timestamp": t, "input_length": n, "output_length": 5, "hash_ids": ids})
    for t, n, ids in ((0, 1100, [1, 2, 3]), (500, 1500, [1, 2, 9]), (500, 100, [7]))
)


def written(tmp_path, text, name="trace.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["auto", "azure"])
def test_azure_times_count_from_the_first(tmp_path, name):
    requests = READERS[name](written(tmp_path, AZURE)).requests
    assert requests.arrival_s.tolist() == pytest.approx([0, 0.052])
    assert requests.prompt.tolist() == [4808, 3180]
    assert requests.output.tolist() == [10, 8]


def test_burstgpt_leaves_out_failures(tmp_path):
    requests = READERS["auto"](written(tmp_path, BURST)).requests
    assert requests.arrival_s.tolist() == [0, 113]
    assert requests.output.tolist() == [18, 276]


def test_lengths_alone_get_poisson_arrivals(tmp_path):
    path = written(tmp_path, LENGTHS)
    first, again = READERS["auto"](path), READERS["lengths"](path)
    assert first.to_json() == again.to_json()
    assert first.requests.prompt.tolist() == [3772, 2015]


def test_mooncake_hashes_become_shared_prefixes(tmp_path):
    requests = READERS["auto"](written(tmp_path, MOON)).requests
    assert requests.arrival_s.tolist() == [0, 0.5, 0.5]
    assert requests.group.tolist() == [1, 2, 3]
    assert requests.shared.tolist() == [0, 1024, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (AZURE.replace("3180", "-1"), r"trace.csv, line 3, ContextTokens.*'-1'"),
        (AZURE.replace("3180", "nan"), r"trace.csv, line 3, ContextTokens"),
        (AZURE.replace(",8\n", ",0.5\n"), r"trace.csv, line 3, GeneratedTokens.*'0.5'"),
        (AZURE.replace(",3180,8\n", ""), r"trace.csv, line 3: .*cut off"),
        (AZURE.replace("18:17:04", "18:17:01"), r"trace.csv, line 3: .*rise"),
        (
            AZURE.replace("2023-11-16 18:17:04.0319600", "soon"),
            r"trace.csv, line 3, TIMESTAMP.*'soon'",
        ),
        (AZURE.partition("\n")[0] + "\n", r"trace.csv.*a row at least"),
        (BURST.replace("118,", "nan,"), r"trace.csv, line 4, Timestamp"),
        (BURST.replace("118,", "4,"), r"trace.csv, line 4: .*rise, found 4.0 after 5.0"),
        (LENGTHS.replace("2015", "x"), r"trace.csv, line 3, num_prefill_tokens.*'x'"),
        (MOON[:-9], r"trace.csv, line 3: expected JSON"),
        (
            MOON.replace('"output_length": 5', '"output_length": -1'),
            r"trace.csv, line 1, output_length",
        ),
        (MOON.replace("[7]", '"7"'), r"trace.csv, line 3, hash_ids"),
        (AZURE.replace(",8\n", ",200001\n"), r"trace.csv, line 3, GeneratedTokens.*200000"),
        (BURST.replace("276", "200001"), r"trace.csv, line 4, Response tokens.*200000"),
        (LENGTHS.replace("156", "200001"), r"trace.csv, line 3, num_decode_tokens.*200000"),
        (
            MOON.replace('"output_length": 5', '"output_length": 200001'),
            r"trace.csv, line 1, output_length.*200000",
        ),
        (
            AZURE.replace("2023-11-16 18:17:04", "2063-11-16 18:17:04"),
            r"trace.csv, line 3: .*1e\+09 s",
        ),
        (MOON.replace("[7]", '[7, "8"]'), r"trace.csv, line 3, hash_ids"),
        ("a,b\n1,2\n", "expected an Azure"),
    ],
)
def test_a_bad_trace_is_refused_with_its_place(tmp_path, text, words):
    with pytest.raises(InputError, match=words) as caught:
        READERS["auto"](written(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["requests"][1].update(prompt=0), r"requests\[1\].prompt"),
        (lambda d: d["requests"][1].update(output="x"), r"requests\[1\].output"),
        (lambda d: d["requests"][0].update(arrival_s=1e6), r"requests\[1\].arrival_s.*rise"),
        (lambda d: d["requests"][0].pop("shared"), r"requests\[0\].shared: missing"),
        (lambda d: d["replicas"][0].update(model="gpt-9"), "model 'gpt-9'"),
        (lambda d: d["replicas"][0].update(gpu="abacus"), "GPU 'abacus'"),
        (lambda d: d["replicas"][0].update(kv_blocks=0), r"replica.kv_blocks"),
        (lambda d: d.update(precedes=[[1], [0]]), "precedes"),
        (lambda d: d.update(requests=[]), "requests"),
    ],
)
def test_a_bad_document_is_refused_with_its_field(tmp_path, change, words):
    document = GENERATORS["random"](np.random.default_rng(0), "4").to_json()
    change(document)
    with pytest.raises(InputError, match=words):
        READERS["auto"](written(tmp_path, json.dumps(document), "i.json"))


def test_numbers_that_are_not_are_refused():
    with pytest.raises(InputError, match=r"requests\[1\].arrival_s.*NaN"):
        make_requests([0.0, np.nan], [1, 1], [1, 1])


def test_a_profile_stands_for_a_gpu(tmp_path):
    path = written(tmp_path, "tokens,linear_ms\n8,10\n4096,200\n", "card.csv")
    table = linear_table(str(path), "llama-3-8b")
    assert table[1] == pytest.approx(0.010)
    assert table[512] == pytest.approx(0.200)
    assert Replica(str(path)).gpu == str(path)
    with pytest.raises(InputError, match=r"huge.csv, line 3: expected a number in"):
        read_profile(written(tmp_path, "tokens,linear_ms\n8,10\n9,1e308\n", "huge.csv"))
    with pytest.raises(InputError, match=r"falls.csv: expected the last linear_ms not below"):
        read_profile(written(tmp_path, "tokens,linear_ms\n8,10\n64,3\n", "falls.csv"))
    with pytest.raises(InputError, match="rising"):
        read_profile(written(tmp_path, "tokens,linear_ms\n8,10\n8,11\n", "bad.csv"))


def test_every_column_of_a_trace_is_read(tmp_path):
    """Times are those since the first request; lengths keep their order."""
    azure = AZURE.replace("18:17:03.9799600", "18:16:58") + "2023-11-16 18:18:04+00:00,7,1\n"
    requests = READERS["azure"](written(tmp_path, azure)).requests
    assert requests.arrival_s.tolist() == pytest.approx([0, 6.03196, 66])
    assert requests.prompt.tolist() == [4808, 3180, 7]
    assert requests.output.tolist() == [10, 8, 1]
    requests = READERS["burstgpt"](written(tmp_path, BURST)).requests
    assert requests.prompt.tolist() == [472, 417]
    requests = READERS["lengths"](written(tmp_path, LENGTHS)).requests
    assert requests.output.tolist() == [54, 156]
    gap = np.random.default_rng(0).exponential(1.0, 2)[1]  # one a second
    assert requests.arrival_s.tolist() == pytest.approx([0, gap])


def test_mooncake_branches_by_hand(tmp_path):
    """The second shares 2 blocks and adds one; the third is cut to its prompt.

    [1, 2] is a segment, and so are [3] and [9] after it, [7, 2, 3, 8], and [4] after [1].
    """
    lines = [
        {"timestamp": 1000, "input_length": 1100, "output_length": 5, "hash_ids": [1, 2, 3]},
        {"timestamp": 1500, "input_length": 1500, "output_length": 6, "hash_ids": [1, 2, 9]},
        {"timestamp": 1500, "input_length": 1030, "output_length": 7, "hash_ids": [1, 2, 9]},
        {"timestamp": 3000, "input_length": 2048, "output_length": 8, "hash_ids": [7, 2, 3, 8]},
        {"timestamp": 3000, "input_length": 40, "output_length": 9, "hash_ids": []},
        {"timestamp": 3000, "input_length": 2050, "output_length": 1, "hash_ids": [7, 2, 3, 8]},
        {"timestamp": 3000, "input_length": 1000, "output_length": 2, "hash_ids": [1, 4]},
    ]
    text = "\n".join(map(json.dumps, lines))
    instance = READERS["mooncake"](written(tmp_path, text))
    assert instance.prefixes.parent.tolist() == [-1, 0, 0, -1, 0]
    assert instance.prefixes.start.tolist() == [0, 1024, 1024, 0, 512]
    requests = instance.requests
    assert requests.arrival_s.tolist() == [0, 0.5, 0.5, 2, 2, 2, 2]
    assert requests.prompt.tolist() == [1100, 1500, 1030, 2048, 40, 2050, 1000]
    assert requests.output.tolist() == [5, 6, 7, 8, 9, 1, 2]
    assert requests.group.tolist() == [1, 2, 2, 3, -1, 3, 4]
    assert requests.shared.tolist() == [0, 1024, 1030, 0, 0, 2048, 512]
    assert requests.extends.tolist() == [1100, 1500, 1030, 2048, 0, 2048, 1000]


TRACES = {"azure": AZURE, "burstgpt": BURST, "lengths": LENGTHS, "mooncake": MOON}


@pytest.mark.parametrize("name", TRACES)
def test_predictions_are_noisy_but_for_the_oracle(tmp_path, name):
    path = written(tmp_path, TRACES[name])
    noisy, oracle = READERS[name](path), READERS[f"{name}-oracle"](path)
    assert oracle.requests.predicted.tolist() == oracle.requests.output.tolist()
    assert noisy.requests.predicted.tolist() != noisy.requests.output.tolist()
    assert READERS[name](path).to_json() == noisy.to_json()
    right = replace(noisy.requests, predicted=noisy.requests.output)
    assert replace(noisy, requests=right).to_json() == oracle.to_json()


def test_the_predictor_has_the_noise_that_it_states(tmp_path):
    """A lognormal factor with 0.3 as standard deviation of the log, by the request's number."""
    text = "num_prefill_tokens,num_decode_tokens\n"
    requests = READERS["lengths"](written(tmp_path, text + "10,10000\n" * 4000)).requests
    logs = np.log(requests.predicted / requests.output)
    assert logs.mean() == pytest.approx(0.0, abs=0.02)
    assert logs.std() == pytest.approx(0.3, abs=0.01)
    fewer = READERS["lengths"](written(tmp_path, text + "10,10000\n" * 9)).requests
    assert fewer.predicted.tolist() == requests.predicted[:9].tolist()


def test_an_oracle_is_named_in_a_specification(tmp_path):
    path = written(tmp_path, AZURE)
    (instance,) = parse_instances(DOMAIN, f"azure-oracle@{path}")
    assert instance.requests.predicted.tolist() == [10, 8]


def test_a_last_block_that_is_not_full_does_not_make_a_path_longer(tmp_path):
    """Fifty turns of a conversation, each with another last block: the path has two segments."""
    rows = [
        {"timestamp": k, "input_length": 512 * k + 100, "output_length": 5, "hash_ids": ids}
        for k, ids in ((k, [*range(k), 1000 + k]) for k in range(1, 51))
    ]
    tree = READERS["auto"](written(tmp_path, "\n".join(map(json.dumps, rows)))).prefixes
    assert tree.parent.tolist() == [-1] + [0] * 50
    assert tree.start.tolist() == [0] + [512 * k for k in range(1, 51)]


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("1", True),
        ("-1", False),
        ("10000000", True),
        ("10000001", False),
        ("2.0", True),
        ("2.5", False),
    ],
)
def test_counts_are_whole_and_within_bounds(tmp_path, text, good):
    path = written(tmp_path, LENGTHS.replace("2015", text))
    if good:
        assert READERS["lengths"](path).requests.prompt[1] == float(text)
    else:
        with pytest.raises(InputError, match=r"trace.csv, line 3, num_prefill_tokens"):
            READERS["lengths"](path)


def test_times_may_stand_still_but_not_be_negative(tmp_path):
    same = READERS["burstgpt"](written(tmp_path, BURST.replace("118,", "5,"))).requests
    assert same.arrival_s.tolist() == [0, 0]
    with pytest.raises(InputError, match=r"trace.csv, line 2, Timestamp"):
        READERS["burstgpt"](
            written(tmp_path, BURST.replace("5,0,1,ChatGPT,472", "-5,0,1,ChatGPT,472"))
        )
    zero = READERS["burstgpt"](
        written(tmp_path, BURST.replace("5,0,1,ChatGPT,472", "0,0,1,ChatGPT,472"))
    )
    assert zero.requests.arrival_s.tolist() == [0, 118]


def test_a_profile_is_read_between_and_beyond_its_knots(tmp_path):
    """8 tokens take 10 ms and 16 take 12; then 0.25 ms a token, which is the mean slope."""
    path = written(tmp_path, "tokens,linear_ms\n8,10\n16,12\n32,14\n40,18\n", "card.csv")
    table = linear_table(str(path), "llama-3-8b")
    found = [1e3 * float(table[k]) for k in (0, 1, 2, 3, 4, 5, 6, 9)]
    assert found == pytest.approx([10, 10, 12, 13, 14, 18, 20, 26])


@pytest.fixture
def berlin(monkeypatch):
    """Where the clock is put forward and back within the traces."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("first", "second", "gap_s"),
    [
        ("2023-10-29 02:59:59.0", "2023-10-29 03:00:00.0", 1.0),
        ("2023-03-26 01:59:59", "2023-03-26 03:00:01", 3602.0),
        ("2023-03-26T02:10:00Z", "2023-03-26T02:10:00.25Z", 0.25),
        ("2023-03-26 02:10:00+00:00", "2023-03-26 04:10:01.5+02:00", 1.5),
        ("1700000000", "1700000002.5", 2.5),
        ("1700000000000", "1700000002500", 2.5),
        ("2023-11-16 18:17:03.9799600", "2023-11-16 18:17:04.0319600", 0.052),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(tmp_path, berlin, first, second, gap_s):
    text = f"TIMESTAMP,ContextTokens,GeneratedTokens\n{first},100,5\n{second},100,5\n"
    requests = READERS["auto"](written(tmp_path, text)).requests
    assert requests.arrival_s[1] == pytest.approx(gap_s, abs=1e-6)


@pytest.mark.parametrize("word", ["2023-13-01 00:00:00", "today", "", "1e9", "2023-11-16 18:17"])
def test_what_is_no_time_is_named(tmp_path, word):
    text = f"TIMESTAMP,ContextTokens,GeneratedTokens\n{word},100,5\n"
    with pytest.raises(InputError, match=r"line 2, TIMESTAMP: expected a time such as"):
        READERS["azure"](written(tmp_path, text))


TOKENLESS = {
    "azure": (AZURE.replace(",8\n", ",0\n"), 1),
    "burstgpt": (BURST.replace("472,18", "0,18"), 1),
    "lengths": (LENGTHS.replace("2015", "0"), 1),
    "mooncake": (MOON.replace('"output_length": 5', '"output_length": 0', 1), 1),
}


@pytest.mark.parametrize("name", TOKENLESS)
def test_requests_without_tokens_are_left_out_and_counted(tmp_path, caplog, name):
    text, left = TOKENLESS[name]
    whole = {"azure": AZURE, "burstgpt": BURST, "lengths": LENGTHS, "mooncake": MOON}[name]
    caplog.set_level("INFO", "graphsched")
    size = len(READERS[name](written(tmp_path, whole)).requests)
    before = re.findall(r"(\d+) of", caplog.text)
    assert len(READERS[name](written(tmp_path, text)).requests) == size - left
    total = int(before[0]) if before else 0
    assert f"{total + left} of" in caplog.text
    assert "requests without tokens are left out" in caplog.text


def test_a_bailian_trace_counts_in_seconds_and_blocks_of_16(tmp_path):
    rows = [
        {"chat_id": 1, "parent_chat_id": -1, "timestamp": 61.0, "input_length": 40,
         "output_length": 5, "type": "text", "turn": 1, "hash_ids": [1, 2, 3]},
        {"chat_id": 2, "parent_chat_id": 1, "timestamp": 62.5, "input_length": 60,
         "output_length": 5, "type": "text", "turn": 2, "hash_ids": [1, 2, 8, 9]},
    ]  # fmt: skip
    path = written(tmp_path, "\n".join(map(json.dumps, rows)), "b.jsonl")
    requests = READERS["auto"](path).requests
    assert requests.arrival_s.tolist() == [0.0, 1.5]
    assert requests.shared.tolist() == [0, 32]
    with pytest.raises(InputError, match="a Bailian trace, in seconds"):
        READERS["mooncake"](path)


def test_hashes_of_other_blocks_are_refused(tmp_path):
    row = {"timestamp": 0, "input_length": 5120, "output_length": 5, "hash_ids": list(range(320))}
    with pytest.raises(InputError, match=r"line 1, hash_ids: expected 10 hashes, of blocks of 512"):
        READERS["auto"](written(tmp_path, json.dumps(row)))


def test_lengths_may_have_times_of_arrival(tmp_path):
    text = "arrived_at,num_prefill_tokens,num_decode_tokens\n1.5,100,5\n4.0,100,5\n"
    requests = READERS["auto"](written(tmp_path, text)).requests
    assert requests.arrival_s.tolist() == [0.0, 2.5]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("text", [AZURE, BURST, LENGTHS, MOON])
def test_line_ends_marks_and_zips_make_no_difference(tmp_path, text, zipped):
    plain = READERS["auto"](written(tmp_path, text)).to_json()
    other = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
    path = tmp_path / "trace.csv"
    path.write_bytes(gzip.compress(other) if zipped else other)
    assert READERS["auto"](path).to_json() == plain


def test_a_long_value_is_shortened(tmp_path):
    document = GENERATORS["toy"](np.random.default_rng(0), "").to_json() | {
        "max_tokens": ["x" * 999]
    }
    with pytest.raises(InputError, match=r"i.json: max_tokens: .{1,90}$"):
        READERS["json"](written(tmp_path, json.dumps(document), "i.json"))
