"""An audit run as the compliance package writes it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

# id, title, title_vi, result, reason, (asset, result, detail), references
CONTROLS = (
    ("log-central", "Device logs are kept and managed in one place", "Nhật ký từ các thiết bị dồn về lưu tập trung",
     "not-satisfied", "1 of 13 devices sent nothing within its declared interval",
     (("tx-pc1", "not-satisfied", "last event 02:41:10 ago, expected every 10 min"),
      ("core1", "satisfied", "last event 4 s ago"), ("dc-fw1", "satisfied", "last event 1 s ago")),
     ("TCVN 14423 5.8.2.1.a",)),
    ("sshd-root", "Root cannot sign in over SSH", "Không cho root đăng nhập qua SSH", "satisfied", "",
     (("core1", "satisfied", "PermitRootLogin no"), ("dc-app1", "satisfied", "PermitRootLogin no")),
     ("TCVN 14423 5.6.2.1",)),
    ("time-sync", "Every component takes time from a time server", "Mọi thành phần lấy giờ từ máy chủ thời gian",
     "satisfied", "", (("core1", "satisfied", "offset 0.4 ms"),), ("TCVN 14423 5.8.2.1.a",)),
    ("backup-fresh", "A backup of every router is younger than a day",
     "Bản sao cấu hình mỗi bộ định tuyến dưới một ngày",
     "no-data", "hh-ce1 does not answer", (("hh-ce1", "no-data", "no answer within 10 s"),), ("TCVN 14423 5.11",)),
)  # fmt: skip


def write_run(data: Path, now: datetime, run_id: str = "2026-11-22T115900Z") -> None:
    """Results of one run, finished a minute ago."""
    folder = data / "evidence" / run_id
    folder.mkdir(parents=True)
    controls = [
        {
            "id": id,
            "title": title,
            "title_vi": title_vi,
            "result": result,
            "reason": reason,
            "assets": [{"asset": a, "result": r, "detail": d, "probe": f"{id}@1"} for a, r, d in assets],
            "references": list(references),
        }
        for id, title, title_vi, result, reason, assets, references in CONTROLS
    ]
    document = {
        "run_id": run_id,
        "started": (now - timedelta(minutes=2)).isoformat(),
        "finished": (now - timedelta(minutes=1)).isoformat(),
        "controls": controls,
    }
    (folder / "results.json").write_text(json.dumps(document, ensure_ascii=False), "utf-8")
