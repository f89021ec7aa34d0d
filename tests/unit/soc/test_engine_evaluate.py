"""`canh rules eval`: NDJSON in, NDJSON matches out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import canh_native
import pytest

from soc.sigma import encode
from soc.sigma.evaluate import evaluate
from tests.unit.soc.engine_support import FAILED, ROOT, correlation, failed, rules_of

WHOAMI = """
    title: Somebody asks who he is
    id: 00000000-0000-4000-8000-000000000011
    logsource: {product: windows, category: process_creation}
    detection:
        selection: {Image|endswith: '\\whoami.exe'}
        condition: selection
    level: medium
"""
EVTX = {
    "Event": {
        "#attributes": {"xmlns": "x"},
        "System": {
            "Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon"}},
            "EventID": {"#text": 1},
            "TimeCreated": {"#attributes": {"SystemTime": "2026-03-02T03:00:00.5Z"}},
            "Channel": "Microsoft-Windows-Sysmon/Operational",
        },
        "EventData": {"Image": "C:\\Windows\\System32\\whoami.exe", "User": "x"},
    }
}

FLAT = {"EventID": 1, "Channel": "Microsoft-Windows-Sysmon/Operational", "Image": "C:\\whoami.exe"}


def test_matches_name_the_event_by_its_place(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED)
    lines = [b"{}\n", b"\n", encode(failed(1, 0)), b"not json\n", encode(failed(2, 1))]
    told: list[int] = []
    found = [json.loads(line) for line in evaluate(rules, lines, 2, told.append)]
    rule = {"rule_id": "00000000-0000-4000-8000-000000000001", "title": "Refused"}
    assert found == [{"event": 1, **rule}, {"event": 3, **rule}]
    assert told == [1]


def test_a_correlation_is_told_once_at_the_event_that_completes_it(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED, correlation("event_count", "{gte: 3}"))
    lines = [encode(failed(n, 10 - n)) for n in range(6)]  # the newest first
    found = [json.loads(line) for line in evaluate(rules, lines)]
    assert [f["event"] for f in found if f["title"].startswith("Counted")] == [3]


@pytest.mark.parametrize("event", [EVTX, FLAT], ids=["evtx", "flat"])
def test_raw_windows_events_match_in_either_shape(tmp_path: Path, event: dict[str, object]) -> None:
    rules = rules_of(tmp_path, WHOAMI)
    assert len(list(evaluate(rules, [json.dumps(event).encode()]))) == 1


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    lines = [b"\xef\xbb\xbf" + json.dumps(FLAT).encode(), json.dumps(FLAT).encode()]
    assert len(list(evaluate(rules_of(tmp_path, WHOAMI), lines))) == 2


def test_an_event_of_another_id_does_not_match(tmp_path: Path) -> None:
    other = json.loads(json.dumps(EVTX))
    other["Event"]["System"]["EventID"]["#text"] = 3
    assert not list(evaluate(rules_of(tmp_path, WHOAMI), [json.dumps(other).encode()]))


def test_the_evtx_shape_becomes_flat() -> None:
    fields = json.loads(canh_native.fields_of(json.dumps(EVTX).encode()))
    assert fields["Provider_Name"] == "Microsoft-Windows-Sysmon"
    assert (fields["EventID"], fields["User"]) == (1, "x")
    assert json.loads(canh_native.fields_of(b'{"Event": 5, "System": 1}')) == {"Event": 5, "System": 1}


def test_the_command_reads_and_prints_ndjson(tmp_path: Path) -> None:
    rules_of(tmp_path, FAILED)
    command = [sys.executable, "-m", "canh", "rules", "eval", "--rules", str(tmp_path)]
    done = subprocess.run(command, input=encode(failed(1, 0)) + b"\n", capture_output=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["event"] == 0


def test_a_match_does_not_wait_for_more_events(tmp_path: Path) -> None:
    """Events come one by one, each after the answer to the last, the last without a line feed."""
    rules_of(tmp_path, FAILED)
    command = [sys.executable, "-m", "canh", "rules", "eval", "--rules", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(3):
            process.stdin.write(encode(failed(number, 0)) + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["event"] == number
        process.stdin.write(encode(failed(3, 0)))
        process.stdin.close()
        assert json.loads(process.stdout.read())["event"] == 3
        assert process.wait(60) == 0
