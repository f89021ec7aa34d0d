"""Values as devices write them, put into fields."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.event import Value
from monitoring.parsers import ip_text, put

WRITTEN: list[tuple[str, object, dict[str, Value]]] = [
    ("source.ip", "2001:DB8:0:0::1", {"source.ip": "2001:db8::1"}),
    ("source.ip", "fe80::1%eth0", {"source.ip": "fe80::1"}),
    ("source.ip", "::ffff:10.0.0.1", {"source.ip": "10.0.0.1"}),
    ("source.ip", "10.0.0.1:53", {"source.ip": "10.0.0.1", "source.port": 53}),
    ("source.ip", "[2001:db8::1]:53", {"source.ip": "2001:db8::1", "source.port": 53}),
    ("source.ip", "10.0.0.1, 10.0.0.2", {"source.ip": "10.0.0.1"}),
    ("source.ip", "10.0.0.1.", {"source.ip": "10.0.0.1"}),
    ("source.ip", "01.0.0.1", {"source.domain": "01.0.0.1"}),
    ("host.ip", "not an address", {}),
    ("source.domain", "[2001:db8::1]", {"source.ip": "2001:db8::1"}),
    ("source.port", "https", {"source.port": 443}),
    ("source.port", "65536", {}),
    ("source.mac", "0200.5e00.5301", {"source.mac": "02-00-5E-00-53-01"}),
    ("source.bytes", "18446744073709551615", {"source.bytes": 18446744073709551615}),
    ("source.bytes", "1.5e3", {"source.bytes": 1500}),
    ("source.bytes", "0x1f", {"source.bytes": 31}),
    ("source.bytes", "nan", {}),
    ("source.bytes", 12, {"source.bytes": 12}),
    ("rule.id", 12, {"rule.id": "12"}),
    ("rule.name", ["a", "b"], {"rule.name": ("a", "b")}),
    ("rule.name", [None], {}),
    ("rule.name", None, {}),
    ("rule.name", {"a": 1}, {}),
    ("rule.name", " N/A ", {}),
    ("rule.name", "half \ud800 a pair", {"rule.name": "half \ud800 a pair"}),
    ("network.transport", "6", {"network.transport": "tcp", "network.iana_number": "6"}),
    ("network.transport", "udp/53", {"network.transport": "udp", "network.iana_number": "17"}),
    ("network.transport", "250", {"network.iana_number": "250"}),
    ("network.transport", "HTTP", {"network.protocol": "http"}),
    ("network.transport", "https/tcp", {"network.transport": "tcp", "network.iana_number": "6"}),
    ("network.transport", "HTTP/1.1", {"network.protocol": "http"}),
    ("network.transport", "HTTPS/2", {"network.protocol": "https"}),
    ("event.outcome", "Permitted", {"event.outcome": "success"}),
    ("event.category", "network", {"event.category": ("network",)}),
    ("user.name", "TINH\\an", {"user.name": "an", "user.domain": "TINH"}),
    ("user.name", "NT AUTHORITY\\SYSTEM", {"user.name": "SYSTEM", "user.domain": "NT AUTHORITY"}),
    ("user.name", "two words\\x", {"user.name": "two words\\x"}),
    ("observer.ingress.interface.name", "Gi0/1,", {"observer.ingress.interface.name": "Gi0/1"}),
    ("dns.question.name", "tinh.gov.example.", {"dns.question.name": "tinh.gov.example"}),
    (
        "url.original",
        "https://an@[2001:db8::1]:8443/p?q=1#f",
        {
            "url.original": "https://an@[2001:db8::1]:8443/p?q=1#f",
            "url.scheme": "https",
            "url.domain": "[2001:db8::1]",
            "url.port": 8443,
            "url.path": "/p",
            "url.query": "q=1",
        },
    ),
    ("url.original", "/p?", {"url.original": "/p?", "url.path": "/p"}),
]


@pytest.mark.parametrize(("name", "written", "fields"), WRITTEN, ids=[f"{n} {w!r}" for n, w, _ in WRITTEN])
def test_a_value_takes_the_form_of_its_field(name: str, written: object, fields: dict[str, Value]) -> None:
    found: dict[str, Value] = {}
    put(found, name, written)
    assert found == fields


def test_what_is_known_of_an_end_stays() -> None:
    fields: dict[str, Value] = {"source.port": 1, "url.path": "/was"}
    put(fields, "source.ip", "10.0.0.1:53")
    put(fields, "url.original", "/is")
    assert fields == {"source.port": 1, "source.ip": "10.0.0.1", "url.path": "/was", "url.original": "/is"}


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str) | st.text("0123456789abcdef:.%[]", max_size=24))
def test_addresses_are_read_as_the_standard_library_reads_them(text: str) -> None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        assert ip_text(text) is None
        return
    mapped = getattr(address, "ipv4_mapped", None)
    assert ip_text(text) == str(mapped or address)


@given(st.text(max_size=40), st.sampled_from(sorted({name for name, _, _ in WRITTEN})))
def test_no_text_is_too_strange(text: str, name: str) -> None:
    fields: dict[str, Value] = {}
    put(fields, name, text)
    assert all(value is not None for value in fields.values())
