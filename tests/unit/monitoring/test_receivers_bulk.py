"""The body of `_bulk`: lossless, bounded, and an answer for every action."""

from __future__ import annotations

import gzip
import json
import os
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.receivers import bulk
from monitoring.receivers.bulk import (
    BulkReader,
    Item,
    MalformedBulk,
    TooManyLines,
    answer_of,
)
from monitoring.receivers.gunzip import PIECE_OCTETS, Gunzip
from tests.unit.monitoring.test_receivers import ERRORS

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(lambda n: n not in ("_index", "_id"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(names, values, max_size=4)


def read(body: bytes, index: str = "", *, document_octets: int = 10_000, step: int = 0) -> tuple[Item, ...]:
    reader = BulkReader(index, document_octets=document_octets)
    for at in range(0, len(body), step or len(body) or 1):
        reader.feed(body[at : at + (step or len(body))])
    return reader.close()


@settings(max_examples=50)
@given(documents, names, names, st.booleans())
def test_a_record_is_the_document_and_where_it_was_sent(document: object, index: str, id: str, spaced: bool) -> None:
    source = json.dumps(document, ensure_ascii=False, separators=None if spaced else (",", ":")).encode()
    action = json.dumps({"create": {"_index": index, "_id": id}}).encode()
    (item,) = read(action + b"\n" + source + b"\n")
    assert item.record is not None
    record = json.loads(item.record)
    address = {k: v for k, v in (("_index", index), ("_id", id)) if v}
    assert record == address | json.loads(source)
    assert list(record)[: len(address)] == list(address)
    assert item.record.endswith(source[1:]), "the octets are the sender's own"


def test_numbers_spelling_and_order_stay_as_sent() -> None:
    source = b'{"b":1.10, "a":1e3,"b":2,"\\u00e9":"\\/"}'
    (item,) = read(b'{"index":{}}\n' + source, "logs")
    assert item.record == b'{"_index":"logs",' + source[1:]
    assert read(b'{"index":{}}\n' + source)[0].record == source
    assert read(b'{"index":{}}\n{}', "logs")[0].record == b'{"_index":"logs"}'


@settings(max_examples=50)
@given(st.lists(documents, min_size=1, max_size=5), st.integers(1, 20))
def test_the_pieces_do_not_matter(sent: list[object], step: int) -> None:
    body = b"".join(b'{"create":{"_id":"1"}}\n' + json.dumps(d).encode() + b"\r\n" for d in sent)
    assert read(body, "x", step=step) == read(body, "x")


def test_each_action_has_its_answer() -> None:
    body = (
        b'{"create":{"_index":"a","_id":7}}\n{"n":1}\n'
        b'{"update":{"_index":"a","_id":"7"}}\n{"doc":{}}\n'
        b'{"delete":{"_index":"a","_id":"7"}}\n'
        b'{"index":null}\n{"big":"%b"}\n'
        b'{"index":{}}\nno JSON\n'
        b'{"index":{}}\n[1]\n'
        b'{"index":{}}\n{"n":NaN}\n'
        b'{"index":{}}\n%b\n'
        b'\n{"index":{}}\n{"n":2}' % (b"x" * 2000, b"[" * 900)
    )
    items = read(body, "b", document_octets=1000)
    assert [(i.action, i.index, i.status, i.record is not None) for i in items] == [
        ("create", "a", 201, True),
        ("update", "a", 400, False),
        ("delete", "a", 400, False),
        ("index", "b", 413, False),
        ("index", "b", 400, False),
        ("index", "b", 400, False),
        ("index", "b", 400, False),
        ("index", "b", 400, False),
        ("index", "b", 201, True),
    ]
    answer = json.loads(b"".join(answer_of(items, 3)))
    assert answer["errors"] is True and answer["items"][0]["create"]["_id"] == "7"
    assert [one.get("error", {}).get("type") for i in answer["items"] for one in i.values()][3:5] == [
        "content_too_long_exception",
        "document_parsing_exception",
    ]
    assert json.loads(b"".join(answer_of(items[:1], 3)))["errors"] is False
    told = [(word, one) for item in answer["items"] for word, one in item.items() if "error" in one]
    text = "".join(f"{word} {one['status']} {one['error']['type']}: {one['error']['reason']}\n" for word, one in told)
    golden = ERRORS / "bulk-documents.txt"
    if os.environ.get("CANH_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_a_long_answer_comes_in_pieces() -> None:
    pieces = list(answer_of(read(b'{"create":{}}\n{}\n' * 5000), 3))
    assert [i["create"]["status"] for i in json.loads(b"".join(pieces))["items"]] == [201] * 5000
    assert len(pieces) > 5 and max(map(len, pieces)) < 200_000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        b"rubbish\n{}",
        b'{"create":{}}\n',
        b'{"create":{},"index":{}}\n{}',
        b'{"explode":{}}\n{}',
        b'{"index":[]}\n{}',
        b'{"index":{"_index":1}}\n{}',
        b'{"index":{"_id":{}}}\n{}',
        b'{"index":{"_index":"%b"}}\n{}' % (b"x" * 9000),
        b"\xff\xfe{}",
    ],
)
def test_what_cannot_be_followed_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(MalformedBulk) as caught:
        read(body)
    assert len(str(caught.value)) < 200


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_body_is_followed_or_refused(body: bytes, step: int) -> None:
    with suppress(MalformedBulk):
        assert read(body, step=step)


def test_memory_stays_bounded_whatever_comes() -> None:
    reader = BulkReader("", document_octets=1000)
    reader.feed(b'{"index":{}}\n')
    for _ in range(1000):
        reader.feed(b"x" * 10_000)
    assert len(reader._line) <= 1000
    reader.feed(b"\n")
    assert reader.close()[0].status == 413


def test_a_name_is_no_longer_than_elasticsearch_has_it() -> None:
    """The index of the address stands in every record: 64 KiB of small documents took 58 MB with one of 15,000."""
    items = read(b'{"create":{}}\n{}\n{"create":{"_index":"a","_id":"%b"}}\n{}\n' % (b"i" * 513), "x" * 256)
    assert [(i.status, i.record) for i in items] == [(400, None)] * 2
    assert len(b"".join(answer_of(items, 1))) < 2000


def test_a_body_of_many_lines_is_ended_and_its_weight_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_LINES", 2000)
    reader = BulkReader("")
    reader.feed(b'{"create":{}}\n{}\n' * 1000)
    assert reader.weight > 1000 * len(b"{}") + 1000 * 200
    for body in (b"\n", b'{"create":{}}\n{}\n', b'{"delete":{}}\n'):
        with pytest.raises(TooManyLines):
            read(body * 2001)


def test_what_is_packed_comes_out_in_small_pieces() -> None:
    data = b"some text " * 1_000_000
    packed = gzip.compress(data[:5_000_000]) + gzip.compress(data[5_000_000:])
    gunzip = Gunzip()
    pieces = [piece for at in range(0, len(packed), 777) for piece in gunzip.feed(packed[at : at + 777])]
    gunzip.close()
    assert b"".join(pieces) == data and max(map(len, pieces)) <= PIECE_OCTETS


def test_what_is_no_gzip_or_ends_early_is_told() -> None:
    with pytest.raises(ValueError, match="no gzip"):
        list(Gunzip().feed(b"plain text"))
    gunzip = Gunzip()
    list(gunzip.feed(gzip.compress(b"x" * 100)[:-3]))
    with pytest.raises(ValueError, match="ends early"):
        gunzip.close()
