"""How long events are kept, and whether the disk has room for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

from compliance.model import PLATFORM, Facts
from monitoring.store import Store

if TYPE_CHECKING:
    from compliance.gather import Scene


def observe(scene: Scene) -> Mapping[str, str]:
    disk = shutil.disk_usage(scene.data_dir)
    segments = Store(scene.data_dir).manifest().segments
    return {
        PLATFORM: json.dumps(
            {
                "days": scene.province.policy.log_retention.days,
                "free_share": round(100 * disk.free / disk.total, 1),
                "segments": len(segments),
                "oldest_us": min((s.min_us for s in segments), default=None),
            }
        )
    }


def facts(output: str) -> Facts:
    """`retention.days` as the store applies it, `retention.free_share` in per cent, `retention.segments`."""
    return {f"retention.{name}": value for name, value in json.loads(output).items() if value is not None}
