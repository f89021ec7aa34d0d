"""Icons as inline SVG: line icons, and filled shapes that carry a meaning (levels, health) through one sprite."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

from markupsafe import Markup

_DATA: dict[str, dict[str, str]] = json.loads((Path(__file__).parent / "icons.json").read_text("utf-8"))


@cache
def icon(name: str, css: str = "") -> Markup:
    """A line icon; decoration only, so words must stand beside it."""
    return Markup('<svg class="i {}" viewBox="0 0 16 16" aria-hidden="true">{}</svg>').format(
        css,
        Markup(_DATA["line"][name]),  # noqa: S704 - our own file
    )


@cache
def shape(name: str, css: str = "") -> Markup:
    """A filled shape of the sprite."""
    return Markup('<svg class="f {}" viewBox="0 0 16 16" aria-hidden="true"><use href="#s-{}"/></svg>').format(
        css, name
    )


@cache
def sprite() -> Markup:
    """The shapes themselves, once a page."""
    symbols = Markup("").join(
        Markup('<symbol id="s-{}" viewBox="0 0 16 16">{}</symbol>').format(name, Markup(path))  # noqa: S704 - our own file
        for name, path in _DATA["shape"].items()
    )
    return Markup('<svg class="vh" width="0" height="0" aria-hidden="true">{}</svg>').format(symbols)


@cache
def logo() -> Markup:
    """Five watches of the night, the third (23:00 to 01:00) lit."""
    arcs = "".join(
        f'<path d="{_arc(16, 17, 11, -198 + n * 54, -156 + n * 54)}" '
        f'stroke="{"#ffc94d" if n == 2 else "currentColor"}" opacity="{1 if n == 2 else 0.75}"/>'
        for n in range(5)
    )
    dot = '<circle cx="16" cy="17" r="3.2" fill="currentColor" stroke="none"/>'
    return Markup(  # noqa: S704 - only numbers computed above
        f'<svg viewBox="0 0 32 32" fill="none" stroke-width="4" aria-hidden="true">{arcs}{dot}</svg>'
    )


def watch(hour: int) -> int | None:
    """Which watch of the night an hour is in: 0 from 19:00 to 4 until 05:00; None by day."""
    since = (hour - 19) % 24
    return since // 2 if since < 10 else None


def ring(now_hour: int, now_minute: int, names: tuple[str, ...], caption: str) -> Markup:
    """The login picture: a 24 h dial with the five watches, the present one lit."""
    lit = watch(now_hour)
    parts = [_tick(hour) for hour in range(24)]
    for n, name in enumerate(names):
        on, start = n == lit, 19 + 2 * n
        stroke, width = ("#ffc94d", 26) if on else ("#6f7fd6", 14)
        arc = _arc(300, 300, 210, (start + 0.12) * 15 - 90, (start + 1.88) * 15 - 90)
        parts.append(f'<path d="{arc}" stroke="{stroke}" stroke-width="{width}"/>')
        angle = math.radians((start + 1) * 15 - 90)
        x, y = 300 + 166 * math.cos(angle), 304 + 166 * math.sin(angle)
        parts.append(Markup('<text x="{:.0f}" y="{:.0f}" class="{}">{}</text>').format(x, y, "on" if on else "", name))
    angle = math.radians((now_hour + now_minute / 60) * 15 - 90)
    hand = f'<circle cx="{300 + 210 * math.cos(angle):.1f}" cy="{300 + 210 * math.sin(angle):.1f}" r="7" class="hand"/>'
    return Markup(
        '<svg class="ring" viewBox="0 0 600 600" fill="none" aria-hidden="true"><circle cx="300" cy="300" r="210" '
        'stroke="#2b3670" stroke-width="2"/>{}<circle cx="300" cy="300" r="280" stroke="#232d63"/>'
        '<text x="300" y="306" class="time">{:02d}:{:02d}</text><text x="300" y="340" class="cap">{}</text>{}</svg>'
    ).format(Markup("".join(parts)), now_hour, now_minute, caption, Markup(hand))  # noqa: S704 - numbers, escaped names


def spark(values: tuple[int, ...]) -> Markup:
    """A line of counts, oldest first, 100 by 28."""
    top, last = max(values) or 1, max(1, len(values) - 1)
    points = "L".join(f"{n * 100 / last:.1f} {26 - value / top * 22:.1f}" for n, value in enumerate(values))
    return Markup(  # noqa: S704 - only numbers
        '<svg class="sp" viewBox="0 0 100 28" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="spark-f" d="M{points}L100 28L0 28Z"/><path class="spark" d="M{points}"/></svg>'
    )


def _arc(x: float, y: float, r: float, start: float, end: float) -> str:
    """An SVG arc between two angles in degrees, clockwise."""
    a, b = math.radians(start), math.radians(end)
    return (
        f"M{x + r * math.cos(a):.2f} {y + r * math.sin(a):.2f}"
        f"A{r} {r} 0 0 1 {x + r * math.cos(b):.2f} {y + r * math.sin(b):.2f}"
    )


def _tick(hour: int) -> str:
    angle, far = math.radians(hour * 15 - 90), 250 if hour % 6 else 258
    x, y = math.cos(angle), math.sin(angle)
    return (
        f'<path d="M{300 + 238 * x:.1f} {300 + 238 * y:.1f}L{300 + far * x:.1f} {300 + far * y:.1f}" '
        'stroke="#4b5aa8" stroke-width="1.5"/>'
    )
