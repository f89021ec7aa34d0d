"""What the detector says of itself: rules at work, rules refused, and how far behind it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from compliance.model import PLATFORM, Facts

if TYPE_CHECKING:
    from compliance.gather import Scene


def observe(scene: Scene) -> Mapping[str, str]:
    text = (scene.data_dir / "stats" / "detect.json").read_text()
    return {PLATFORM: json.dumps({"seen_at": datetime.now(UTC).isoformat(), "stats": json.loads(text)})}


def facts(output: str) -> Facts:
    """`detection.rules`, `.correlations`, `.refused`, `.behind` in octets, `.silent_s` since it last said anything."""
    seen = json.loads(output)
    stats = seen["stats"]
    silent = datetime.fromisoformat(seen["seen_at"]) - datetime.fromisoformat(stats["at"])
    return {
        "detection.rules": stats["rules"],
        "detection.correlations": stats["correlations"],
        "detection.refused": stats["refused_rules"],
        "detection.behind": stats["octets_behind"],
        "detection.silent_s": round(silent.total_seconds()),
    }
