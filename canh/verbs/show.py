"""`canh show`: the province as its inventory has it, addresses included."""

from __future__ import annotations

import argparse
import json

from canh.context import Context
from inventory.tables import TABLES, Row, Value

HELP = "show sites, devices, addresses, services, flows or lists of the inventory"
WIDEST = 60  # characters of a column in a table; --json has the whole value


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=list(TABLES))
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="a JSON list, one object a line")


def run(args: argparse.Namespace, ctx: Context) -> int:
    rows = TABLES[args.what](ctx.province)
    print(_as_json(rows) if args.json else _as_table(rows))
    return 0


def _as_json(rows: list[Row]) -> str:
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f"[\n{lines}\n]" if rows else "[]"


def _as_table(rows: list[Row]) -> str:
    if not rows:
        return "none"
    head = [key.replace("_", " ") for key in rows[0]]
    cells = [head] + [[_cell(value) for value in row.values()] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells)


def _cell(value: Value) -> str:
    if isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, list):
        text = " ".join(value)
    else:
        text = "-" if value is None else str(value)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
