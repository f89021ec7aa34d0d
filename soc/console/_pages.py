"""Jinja: one environment a language, everything escaped, undefined names are errors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from soc.alert import Level, Resolution
from soc.console import _icons as icons
from soc.console import _words as words
from soc.console._clock import clock_of, sort_key
from soc.console._language import Language, hms
from soc.console._notes import Notes
from soc.console._query import NOBODY, VIEWS

TEMPLATES = Path(__file__).parent / "templates"


class Pages:
    """Templates by language."""

    def __init__(self, languages: Mapping[str, Language], notes: Notes) -> None:
        self._environments = {code: _environment(language, notes) for code, language in languages.items()}

    def render(self, language: str, template: str, **values: Any) -> str:
        return self._environments[language].get_template(template).render(values)

    def macro(self, language: str, template: str, name: str, **values: Any) -> Markup:
        """A macro of a template, called with the values; the template sees them too."""
        module = self._environments[language].get_template(template).make_module(values)
        return Markup(getattr(module, name)(values["case"]))  # noqa: S704 - an autoescaped template's own output


def _environment(language: Language, notes: Notes) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        language.text, language.plural, newstyle=True
    )
    environment.globals.update(
        lang=language.code,
        L=language,
        icon=icons.icon,
        shape=icons.shape,
        sprite=icons.sprite,
        logo=icons.logo,
        spark=icons.spark,
        clock_of=clock_of,
        sort_key=sort_key,
        hms=hms,
        timedelta=timedelta,
        words=words,
        Level=Level,
        Resolution=Resolution,
        levels=tuple(reversed(Level)),
        views=VIEWS,
        NOBODY=NOBODY,
        tags_of=technique_tags,
        title_of=partial(notes.title_of, language=language.code),
        slug_of=notes.slug_of,
    )
    environment.filters.update(
        num=language.number,
        stamp=language.stamp,
        time=language.clock,
        span=language.span,
        epoch=_epoch,
        moment=datetime.fromisoformat,
    )
    return environment


def technique_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """ATT&CK techniques among a rule's tags, as people write them: T1110.003."""
    names = (tag.removeprefix("attack.") for tag in tags if tag.startswith("attack.t"))
    return tuple(name.upper() for name in names if name[1:2].isdigit())


def _epoch(at: datetime) -> int:
    return int(at.timestamp())
