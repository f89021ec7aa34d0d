"""What the rules leave: as for IOS, whose messages NX-OS shares; of the Linux below, which program spoke."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers.cisco_ios.parser import refine as refine_ios

_LOOKING = ("show ", "terminal ", "exit", "ping ", "traceroute ")
_PROGRAM = re.compile(r" - ([\w./-]{1,64})\[(\d{1,8})\]\s*\Z")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields that the rules found."""
    product = fields.get("observer.product")
    fields = refine_ios(line, fields, pairs)
    if product is None:
        fields.pop("observer.product", None)
    if fields.get("event.code") == "AAA_ACCOUNTING_MESSAGE":
        _add_command(fields)
    program = _PROGRAM.search(line.text[-128:])
    if program is not None:
        fields["process.name"], fields["process.pid"] = program[1], int(program[2])
    return fields


def _add_command(fields: dict[str, Value]) -> None:
    """Of `configure terminal ; interface Ethernet1/1 ; shutdown` the last is what was typed, the others where."""
    typed = str(fields.get("process.command_line", ""))
    mode, _, command = typed.rpartition(" ; ")
    if mode:
        fields["canh.config.mode"], fields["process.command_line"] = mode, command
        fields["event.category"], fields["event.type"] = ("configuration",), ("change",)
    elif typed.startswith(_LOOKING):
        fields["event.action"] = "show-command"
