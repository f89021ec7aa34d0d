"""`canh dead`: what was received and could not be stored: look at it, mend it, store it after all, or give it up."""

from __future__ import annotations

import argparse
import base64
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from canh.context import Context
from inventory.errors import OpsError
from monitoring.dead import dead_letters, request

HELP = "dead letters: list, show, replay or drop what could not be stored (NDJSON)"
SHORT = ("event_id", "at", "received", "source", "reason", "detail")


class DeadError(OpsError):
    """The letters cannot be settled."""


def arguments(parser: argparse.ArgumentParser) -> None:
    doing = parser.add_subparsers(dest="doing", required=True, metavar="list|show|replay|drop")
    listing = doing.add_parser("list", help="one line a letter, without its message")
    _choice(listing)
    showing = doing.add_parser("show", help="letters whole, with their message as text; edit it and replay --edited")
    _choice(showing)
    for name, text in (("replay", "store after all, once, under the same event.id"), ("drop", "give up and count")):
        settling = doing.add_parser(name, help=text)
        _choice(settling)
        settling.add_argument("--all", action="store_true", help="every letter")
        settling.add_argument("--wait", type=float, default=20.0, metavar="S", help="how long to wait (default 20)")
        if name == "replay":
            text = "letters as `show` prints them, their text edited, one a line; - is standard input"
            settling.add_argument("--edited", metavar="FILE", help=text)


def _choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="EVENT_ID", help="only these")
    parser.add_argument("--reason", metavar="WORD", help="only those dead for this reason")
    parser.add_argument("--source", metavar="TEXT", help="only those whose source contains this")


def run(args: argparse.Namespace, ctx: Context) -> int:
    if args.doing in ("list", "show"):
        for letter in _chosen(args, ctx.data_dir):
            shown = _whole(letter) if args.doing == "show" else {k: letter.get(k) for k in SHORT}
            print(json.dumps(shown, ensure_ascii=False))
        return 0
    return _settle(args, ctx.data_dir)


def _chosen(args: argparse.Namespace, data_dir: Path) -> Iterator[dict[str, Any]]:
    for letter in dead_letters(data_dir, frozenset(args.ids) or None):
        if args.reason in (None, letter["reason"]) and (args.source or "") in letter["source"]:
            yield letter


def _whole(letter: Mapping[str, Any]) -> dict[str, Any]:
    """With the message as text, where it is text; else only as base64 in `raw`."""
    try:
        return {**letter, "text": base64.b64decode(letter["raw"]).decode("utf-8")}
    except (ValueError, KeyError):
        return dict(letter)


def _settle(args: argparse.Namespace, data_dir: Path) -> int:
    lines = _edited(args.edited) if getattr(args, "edited", None) else None
    if lines is None:
        if not (args.all or args.ids or args.reason or args.source):
            raise DeadError("which letters?", fix="name event ids, or --reason WORD, --source TEXT or --all")
        lines = [{"event_id": letter["event_id"], "action": args.doing} for letter in _chosen(args, data_dir)]
    if not lines:
        print("no letter fits", file=sys.stderr)
        return 0
    asked = frozenset(line["event_id"] for line in lines)
    try:
        path = request(data_dir, lines, f"{time.time_ns():020d}-{uuid4().hex[:8]}")
    except OSError as error:
        raise DeadError(
            f"the request cannot be written: {error.strerror}", where=data_dir / "dead", fix="free space, or the rights"
        ) from error
    if not _is_done(path, args.wait):
        raise DeadError(
            "nobody has done it yet: the store's worker is busy or not running",
            where=path,
            fix="start canh collect, or wait: the request stays and is done once",
        )
    left = list(dead_letters(data_dir, asked))
    print(json.dumps({"action": args.doing, "asked": len(asked), "settled": len(asked) - len(left)}))
    for letter in left:
        print(json.dumps({k: letter.get(k) for k in SHORT}, ensure_ascii=False))
    return 1 if left else 0


def _is_done(path: Path, wait_s: float) -> bool:
    until = time.monotonic() + wait_s
    while path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def _edited(name: str) -> list[dict[str, str]]:
    """What is asked by letters that were edited: `text` counts, else `raw`."""
    lines, number = [], 0
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
        for line in text.split("\n"):
            number += 1
            if not line.strip():
                continue
            letter = json.loads(line)
            raw = letter["text"].encode() if "text" in letter else base64.b64decode(letter["raw"])
            encoded = base64.b64encode(raw).decode("ascii")
            lines.append({"event_id": str(letter["event_id"]), "action": "replay", "raw": encoded})
    except OSError as error:
        raise DeadError(f"it cannot be read: {error.strerror}", where=name) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DeadError(
            "that line is no letter", where=f"{name}:{number}", fix="write it as `canh dead show` prints it"
        ) from error
    return lines
