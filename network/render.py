"""Intent to configuration text, by the templates of a platform."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

import jinja2

from network.errors import PlatformError
from network.intent import Intent
from network.platform import Platform

MAIN = "router.j2"


def render(intent: Intent, platform: Platform) -> str:
    """The configuration of a router, as text. Raises PlatformError when a template names what is not there."""
    try:
        return _template(platform).render(intent=intent, platform=platform)
    except jinja2.TemplateError as error:
        raise PlatformError(
            f"the template cannot be rendered: {error}",
            where=platform.templates / MAIN,
            fix="name only fields of network.intent.Intent",
        ) from error


@lru_cache
def _template(platform: Platform) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(platform.templates),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - device configuration, not HTML; intent_of refuses what could break a line
    )
    environment.filters["seconds"] = _seconds
    return environment.get_template(MAIN)


def _seconds(span: timedelta) -> int:
    return int(span.total_seconds())
