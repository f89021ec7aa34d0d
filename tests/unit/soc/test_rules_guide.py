"""What the guide to rules shows is what there is."""

from __future__ import annotations

import re
import shlex
import textwrap
from datetime import date
from pathlib import Path

import yaml

from canh.cli import _parser
from soc.rulesets import Sight
from soc.rulesets import _import as importing
from soc.rulesets import _screen as screen
from soc.sigma.filter_document import filter_of
from soc.sigma.rule import Origin
from tests.unit.soc.engine_support import ROOT

GUIDE = (ROOT / "docs/guides/rules.md").read_text("utf-8")
COMMANDS = re.findall(r"^canh (.+?)(?: +#.*)?$", GUIDE, re.MULTILINE)


def test_every_command_is_one() -> None:
    assert len(COMMANDS) >= 12
    for command in COMMANDS:
        words = shlex.split(command)
        _parser(words).parse_args(words)


def test_the_filter_is_one() -> None:
    written = re.search(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    assert written is not None
    made = filter_of(yaml.safe_load(written[1]), Origin(path=Path("guide")), date(2026, 11, 22))
    assert (made.author, made.expires) == ("thanh", date(2027, 3, 1))


def test_every_reason_and_mark_is_told() -> None:
    code = "".join(Path(module.__file__).read_text("utf-8") for module in (importing, screen))
    reasons = set(re.findall(r'reason="([a-zA-Z8 -]+)"', code)) | {short for _, short in importing._REASONS}
    assert len(reasons) > 8
    told = " ".join(GUIDE.split())
    assert [reason for reason in sorted(reasons) if f"`{reason}`" not in told] == []
    assert all(f"`{sight.value}`" in told for sight in Sight if sight.is_loadable)


def test_the_pages_it_names_are_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", GUIDE):
        path = (ROOT / "docs/guides" / link).resolve()
        assert path.exists() or path.name == "rules.md", link
    assert textwrap.dedent(GUIDE) == GUIDE
