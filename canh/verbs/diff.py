"""`canh diff`: the lines between two configuration files."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from canh.context import Context
from network.diff import diff
from network.errors import ConfigError
from network.platform import Platform, load_platform
from network.tree import Tree, parse

HELP = "the change from one configuration file to another, and its rollback; touches no device"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--platform", required=True, metavar="P", help="a folder of network/platforms")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print for programs")
    parser.add_argument("running", type=Path, metavar="RUNNING")
    parser.add_argument("intended", type=Path, metavar="INTENDED")


def run(args: argparse.Namespace, ctx: Context) -> int:
    platform = load_platform(args.platform)
    found = diff(_read(args.running, platform), _read(args.intended, platform), platform)
    if ctx.json:
        json.dump({"change": found.change, "rollback": found.rollback}, sys.stdout, ensure_ascii=False)
        print()
    elif found:
        print("! change", *found.change, "! rollback", *found.rollback, sep="\n")
    return 1 if found else 0


def _read(path: Path, platform: Platform) -> Tree:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError("the file is not UTF-8", where=f"{path} byte {error.start}", fix="convert it") from error
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}", where=path, fix="check the name") from error
    return parse(text, platform, where=path)
