"""The pure parts of the console: clocks, raw events, queries, catalogues, figures, what is seen."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

import soc.console
from inventory import load
from inventory.model import Province
from soc.alert import Level, Status
from soc.cases import Case
from soc.console._clock import NO_DEADLINE, Pace, clock_of, sort_key
from soc.console._controls import newest_run
from soc.console._language import LOCALE, Language, hms, languages
from soc.console._notes import Notes
from soc.console._overview import response_of, tiles_of
from soc.console._people import Person
from soc.console._query import FACETS, VIEWS, Query, query_of
from soc.console._raw import pieces_of, runs_of
from soc.console._sight import QUIET, STALE, Watch
from soc.console.routes._reply import local_path
from soc.console.routes.actions import shift_end
from tests.unit.soc.alert_factory import NOW, alert, lab_alerts
from tests.unit.soc.evidence_factory import write_run
from tests.unit.soc.stats_factory import receive

ROOT = Path(soc.console.__file__).parent
LAB = Path(__file__).parents[3] / "inventory/provinces/lab"


@pytest.fixture(scope="module")
def province() -> Province:
    return load(LAB)


def case(level: Level = Level.HIGH, due: timedelta | None = timedelta(hours=1), **changes: object) -> Case:
    due_at = None if due is None else NOW + due
    values = {"alert": alert(level=level), "status": Status.NEW, "due_at": due_at, **changes}
    return Case(**values)  # type: ignore[arg-type]


# ---- clocks
@pytest.mark.parametrize(
    ("given_case", "pace"),
    [
        (case(due=timedelta(minutes=31)), Pace.ON_TRACK),
        (case(due=timedelta(minutes=30)), Pace.WARNING),  # a quarter of two hours
        (case(due=timedelta(0)), Pace.WARNING),
        (case(due=timedelta(seconds=-1)), Pace.OVERDUE),
        (case(Level.INFORMATIONAL, None), Pace.NONE),
        (case(status=Status.ACKNOWLEDGED, until=NOW + timedelta(minutes=5)), Pace.PAUSED),
        (case(status=Status.CLOSED, closed_at=NOW), Pace.DONE),
    ],
)
def test_the_clock_says_where_an_alert_stands(given_case: Case, pace: Pace) -> None:
    assert clock_of(given_case, NOW).pace is pace


def test_used_time_stays_between_0_and_100() -> None:
    spans = [timedelta(hours=h) for h in (-100, -1, 0, 1, 2, 50)]
    assert [clock_of(case(due=span), NOW).used for span in spans] == [100, 100, 100, 50, 0, 0]


def test_an_alert_without_deadline_sorts_last() -> None:
    assert sort_key(case(Level.INFORMATIONAL, None)) == NO_DEADLINE > sort_key(case())


def test_a_pause_sorts_by_its_end() -> None:
    assert sort_key(case(until=NOW)) == int(NOW.timestamp())


# ---- raw events
@given(st.text(), st.lists(st.text(min_size=1), max_size=5))
def test_marking_loses_no_character(text: str, values: list[str]) -> None:
    assert "".join(piece.text for piece in pieces_of(text, values)) == text


def test_only_whole_values_are_marked() -> None:
    pieces = pieces_of("from 10.250.3.1 and 10.250.3.10, user root, rooted", ("10.250.3.1", "root"))
    assert [p.text for p in pieces if p.is_match] == ["10.250.3.1", "root"]


def test_similar_lines_are_folded_and_none_is_lost() -> None:
    runs = runs_of(alert())
    numbers = [line.number for run in runs for line in (*run.shown, *run.folded)]
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert [len(run.folded) for run in runs] == [3, 0]  # five failures, then the success


# ---- the queue's query
_values = st.text(min_size=1, max_size=20).filter(lambda text: text == text.strip())


@given(
    st.sampled_from([*VIEWS]),
    st.dictionaries(
        st.sampled_from(["assignee", "site", "rule"]), st.lists(_values, min_size=1, unique=True).map(tuple)
    ),
    st.lists(st.sampled_from([str(level) for level in Level]), unique=True).map(tuple),
    st.one_of(st.just(""), _values),
    st.integers(1, 10_000),
)
def test_a_query_survives_its_address(
    view: str, facets: dict[str, tuple[str, ...]], levels: tuple[str, ...], text: str, page: int
) -> None:
    from urllib.parse import parse_qsl, urlsplit

    wanted = Query(view=view, facets={**facets, **({"level": levels} if levels else {})}, text=text, page=page)
    assert query_of(parse_qsl(urlsplit(wanted.url()).query)) == wanted


def test_nonsense_in_an_address_is_ignored() -> None:
    pairs = [("level", "evil"), ("view", "../x"), ("page", "-1"), ("page", "x"), ("unknown", "1"), ("site", "")]
    assert query_of(pairs) == Query()


def test_removing_a_chip_removes_only_it() -> None:
    query = query_of([("site", "hh"), ("site", "tx"), ("level", "high"), ("page", "3"), ("q", "scan")])
    assert query.without("site", "hh") == query_of([("site", "tx"), ("level", "high"), ("q", "scan")])
    assert query.without("q", "").text == ""
    assert set(query.facets) <= set(FACETS)


# ---- languages
def messages() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    keywords = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    options = {"templates/**.html": {"silent": "false"}}
    for file, _, message, _, _ in extract_from_dir(ROOT, methods, options, keywords=keywords):  # type: ignore[arg-type]
        yield file, message


def test_every_text_of_the_console_has_a_vietnamese_one_with_the_same_placeholders() -> None:
    catalogue = read_po((LOCALE / "vi/LC_MESSAGES/canh.po").open("rb"), locale="vi")
    used = set()
    for file, message in messages():
        one = message if isinstance(message, str) else message[0]
        entry = catalogue.get(one)
        assert entry and entry.string and "fuzzy" not in entry.flags, f"{file}: {one!r} has no Vietnamese text"
        text = entry.string if isinstance(entry.string, str) else entry.string[0]
        assert set(re.findall(r"%\(\w+\)s", text)) == set(re.findall(r"%\(\w+\)s", one)), one
        used.add(one)
    assert {m.id if isinstance(m.id, str) else m.id[0] for m in catalogue if m.id} == used, "texts nobody uses"


def test_vietnamese_texts_follow_the_style_guide() -> None:
    catalogue = read_po((LOCALE / "vi/LC_MESSAGES/canh.po").open("rb"), locale="vi")
    texts = [m.string if isinstance(m.string, str) else m.string[0] for m in catalogue if m.id]
    for text in texts:
        assert "vui lòng" not in text.lower() and "!" not in text
        assert not re.search("hóa|hủy|khóa|tòa", text), f"the tone stands on the last vowel: {text}"


def test_numbers_and_times_are_written_as_each_language_does() -> None:
    vi, en = (languages("Asia/Ho_Chi_Minh")[code] for code in ("vi", "en"))
    assert (vi.number(1240), en.number(1240)) == ("1.240", "1,240")
    assert (vi.number(2.1, 1), en.number(2.1, 1)) == ("2,1", "2.1")
    assert vi.stamp(NOW) == "22/11/2026 19:00:00" and vi.zone == "GMT+7"
    spans = [timedelta(seconds=5), timedelta(minutes=17), timedelta(hours=1, minutes=2), timedelta(hours=50)]
    assert [vi.span(s) for s in spans] == ["5 giây", "17 ph", "1 giờ 02", "2 ngày"]
    assert [en.span(s) for s in spans] == ["5 s", "17 min", "1 h 02", "2 d"]
    assert hms(timedelta(seconds=-3725)) == "01:02:05"


def test_a_time_of_another_day_carries_its_day() -> None:
    vi = Language("vi", ZoneInfo("Asia/Ho_Chi_Minh"))
    assert vi.minute(NOW, NOW) == "19:00"
    assert vi.minute(NOW + timedelta(hours=6), NOW) == "01:00 23/11"


# ---- small things
@pytest.mark.parametrize(
    ("path", "kept"),
    [("/alerts?view=mine", True), ("//evil.example", False), ("https://evil.example", False), ("/\\evil", False),
     ("/a\r\nSet-Cookie: x", False), ("", False)],
)  # fmt: skip
def test_a_redirect_stays_inside(path: str, kept: bool) -> None:
    assert local_path(path) == (path if kept else "/")


@pytest.mark.parametrize(("hour", "ends"), [(0, 6), (5, 6), (6, 14), (13, 14), (14, 22), (21, 22), (22, 6), (23, 6)])
def test_a_shift_ends_at_6_14_or_22(hour: int, ends: int) -> None:
    local = datetime(2026, 11, 22, hour, 30, tzinfo=UTC)
    end = shift_end(local)
    assert end.hour == ends and timedelta(0) < end - local <= timedelta(hours=8)


def test_the_vendored_file_is_the_one_its_note_names() -> None:
    note = (ROOT / "static/vendor/README.md").read_text()
    sums = re.findall(r"`(\S+)` \| [^|]+\| [^|]+\| `([0-9a-f]{64})`", note)
    assert [name for name, _ in sums] == ["htmx.min.js"]
    for name, wanted in sums:
        assert hashlib.sha256((ROOT / "static/vendor" / name).read_bytes()).hexdigest() == wanted


def test_styles_and_scripts_load_nothing_from_elsewhere() -> None:
    for path in (ROOT / "static/canh.css", ROOT / "static/canh.js"):
        assert not re.search(r"https?://(?!www\.w3\.org)|@import|url\(", path.read_text())


# ---- overview
def test_tiles_count_open_overdue_and_hours() -> None:
    cases = [Case(alert=a, status=Status.NEW, due_at=a.raised_at + timedelta(minutes=15)) for a in lab_alerts()]
    tiles = {tile.level: tile for tile in tiles_of(cases, NOW)}
    assert [t.open for t in tiles.values()] == [1, 3, 2, 1, 1]
    assert sum(sum(t.hourly) for t in tiles.values()) == len(cases)
    assert tiles[Level.CRITICAL].overdue == 1 and tiles[Level.CRITICAL].hourly[-1] == 1


def test_response_is_measured_only_where_there_was_one() -> None:
    one = Case(alert=alert(), status=Status.NEW)
    assert response_of([one], {}).to_act is None
    closed = dataclasses.replace(one, status=Status.CLOSED, closed_at=one.alert.raised_at + timedelta(minutes=30))
    measured = response_of([closed], {closed.id: closed.alert.raised_at + timedelta(minutes=4)})
    assert (measured.to_act, measured.to_close, measured.closed) == (timedelta(minutes=4), timedelta(minutes=30), 1)


# ---- what is seen
def test_without_counters_nothing_is_claimed(tmp_path: Path, province: Province) -> None:
    sight = Watch(province, tmp_path, NOW).look(NOW)
    assert sight.balance is None and sight.silent == () and sight.detecting is None


def test_the_balance_is_the_stores_own(tmp_path: Path, province: Province) -> None:
    receive(tmp_path, NOW, {"10.250.0.1": 9}, bad=3)
    sight = Watch(province, tmp_path, NOW).look(NOW)
    assert sight.balance and sight.balance.balances and sight.detecting
    assert (sight.balance.received, sight.balance.stored, sight.balance.dead) == (12, 9, 3)
    later = Watch(province, tmp_path, NOW).look(NOW + STALE + timedelta(seconds=1))
    assert later.balance and later.balance.is_stale(NOW + STALE + timedelta(seconds=1)) and later.detecting is False


def test_a_device_whose_counter_stands_still_is_silent(tmp_path: Path, province: Province) -> None:
    talker, mute = list(province.devices.values())[:2]
    peers = {str(talker.addresses[0]): 1, str(mute.addresses[0]): 1}
    receive(tmp_path, NOW, peers)
    watch = Watch(province, tmp_path, NOW)
    watch.look(NOW)
    later = NOW + QUIET + timedelta(seconds=1)
    receive(tmp_path, later, {str(talker.addresses[0]): 1}, store=False)
    silent = {silence.device: silence.since for silence in watch.look(later).silent}
    assert talker.name not in silent and silent[mute.name] == NOW
    never = set(province.devices) - {talker.name, mute.name}
    assert never <= set(silent) and all(silent[name] is None for name in never)


# ---- controls
def test_the_newest_run_is_shown_bad_news_first(tmp_path: Path) -> None:
    write_run(tmp_path, NOW)
    run = newest_run(tmp_path).run
    assert run and [c.result for c in run.problems_first] == ["not-satisfied", "no-data", "satisfied", "satisfied"]


def test_a_run_of_some_controls_does_not_hide_the_newest_of_all(tmp_path: Path) -> None:
    write_run(tmp_path, NOW)
    full = tmp_path / "evidence/2026-11-22T115900Z/results.json"
    later = tmp_path / "evidence/2026-11-22T125900Z/results.json"
    later.parent.mkdir()
    document = json.loads(full.read_text()) | {"run_id": later.parent.name, "is_partial": True}
    later.write_text(json.dumps(document))
    os.utime(full, (0, 0))
    found = newest_run(tmp_path)
    assert found.run and found.run.run_id == full.parent.name
    full.unlink()
    alone = newest_run(tmp_path)
    assert alone.run and alone.run.run_id == later.parent.name


def test_no_run_and_a_damaged_one_are_told_apart(tmp_path: Path) -> None:
    assert newest_run(tmp_path) == newest_run(tmp_path / "nowhere")
    write_run(tmp_path, NOW)
    path = tmp_path / "evidence/2026-11-22T115900Z/results.json"
    path.write_text(path.read_text()[:200])
    damaged = newest_run(tmp_path)
    assert damaged.run is None and damaged.problem.endswith("results.json")


@pytest.mark.parametrize("result", ["", "SATISFIED", "ok", None, 1, "not satisfied"])
def test_a_result_we_do_not_know_is_no_data_never_satisfied(tmp_path: Path, result: object) -> None:
    write_run(tmp_path, NOW)
    path = tmp_path / "evidence/2026-11-22T115900Z/results.json"
    document = json.loads(path.read_text())
    document["controls"][1]["result"] = result
    path.write_text(json.dumps(document))
    run = newest_run(tmp_path).run
    assert run and run.controls[1].result == "no-data"


# ---- the rule library
@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "access" / "my-rule"
    folder.mkdir(parents=True)
    (folder / "rule.yml").write_text("title: T\nid: abc\ncanh:\n    title_vi: Tiêu đề\n")
    (folder / "triage.md").write_text(
        "# T\n\n## Sees\n<script>alert(1)</script> [x](javascript:alert(1)) ![i](https://e/i)\n"
    )
    (folder / "triage.vi.md").write_text("# T\n\n## Thấy gì\nMột *dòng*.\n")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "rule.yml").write_text("title: [")
    return tmp_path


def test_a_note_is_safe_html(library: Path) -> None:
    html = Notes([library]).of("abc", "en")
    assert html and "<h3>Sees</h3>" in html and "&lt;script&gt;" in html
    assert "<script" not in html and "<img" not in html and 'href="javascript' not in html


def test_a_rule_speaks_vietnamese_where_it_can(library: Path) -> None:
    notes = Notes([library])
    assert notes.title_of(alert(rule_id="abc"), "vi") == "Tiêu đề"
    assert notes.title_of(alert(rule_id="abc", title="T"), "en") == "T"
    assert "Thấy gì" in (notes.of("abc", "vi") or "")
    assert (notes.slug_of("abc"), notes.slug_of("unknown")) == ("my-rule", "unknown")
    assert notes.of("unknown", "vi") is None


def test_a_person_goes_by_the_given_name_and_a_function_by_all_of_it() -> None:
    assert Person(name="lan", full_name="Nguyễn Thị Lan").given == "Lan"
    assert Person(name="analyst", full_name="Trực ca giám sát").given == "Trực ca giám sát"
    assert Person(name="x", full_name="").given == "x"
