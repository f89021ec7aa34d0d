"""PAM: the program of `sshd(pam_unix)[1]: ...` is sshd."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with the program alone as its process."""
    program, mark, _ = line.app_name.partition("(pam_")
    if mark:
        fields["process.name"] = program.rpartition("/")[2]
    return fields
