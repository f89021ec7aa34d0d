"""Which JSON object a message holds."""

from __future__ import annotations

from typing import Any

import pytest

from monitoring.parsers import document_in

LONG = "x" * 80


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}),
        ('@cee: {"a": 1}', {"a": 1}),
        ('[{"a": 1}, {"a": 2}]', {"a": 1}),
        ('events - - {"a": {"b": 1}}', {"a": {"b": 1}}),
        ('{"a": "line\nbreak"}', {"a": "line\nbreak"}),
        ('key=value {"a": 1}', None),
        ('said {"a": 1} and more', None),
        ("{broken}", None),
        ('{"a": ["b\\ud800", "\\ud83d\\ude00"]}', {"a": ["b\ufffd", "\U0001f600"]}),
        ("{'a': 'b\\udc00'}", {"a": "b\ufffd"}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ("{'a': None, 'b': [True, 'it\\'s']}", {"a": None, "b": [True, "it's"]}),
        ("{'a': __import__('os')}", None),
        ('{\\"a\\": {\\"b\\": 1}}', {"a": {"b": 1}}),
        ("{'a': " + "[" * 5000, None),
        ("[]", None),
        ("", None),
        (f'{{"a": "{LONG}", "b": {{"c": [1, 2, {{"d": "cut he', {"a": LONG, "b": {"c": [1, 2, {"d": "cut he"}]}}),
        (f'{{"a": "{LONG}", "b": tru', {"a": LONG}),
        (f'{{"a": "{LONG}", "b', {"a": LONG}),
        (f'{{"a": "{LONG}"}}}} and more', None),
    ],
)
def test_the_object_of_a_message(text: str, found: dict[str, Any] | None) -> None:
    assert document_in(text) == found
