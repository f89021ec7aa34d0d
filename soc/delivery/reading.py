"""From `<province>/delivery.yaml` to `Settings`, with every finding at once. No file: nobody is told."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from inventory import Finding, read_document
from inventory.model import Province
from soc.delivery._documents import DeliveryDoc
from soc.delivery.settings import Settings
from soc.errors import DeliveryError

FILE = "delivery.yaml"


def load(province_dir: Path, province: Province) -> Settings:
    """The settings of a province; without a file nobody is told. Raises DeliveryError with every finding."""
    settings, findings = read(province_dir, province)
    if settings is None:
        listed = "\n".join(f"{n}. {finding}" for n, finding in enumerate(findings, 1))
        raise DeliveryError(f"{province_dir / FILE} cannot be used: {len(findings)} findings\n{listed}")
    return settings


def read(province_dir: Path, province: Province) -> tuple[Settings | None, list[Finding]]:
    """The settings, None when there are findings."""
    zone, units = ZoneInfo(province.time_zone), {name: site.unit for name, site in province.sites.items()}
    path = province_dir / FILE
    if not path.exists():
        return Settings(zone=zone, units=units), []
    found, findings = read_document(path, DeliveryDoc)
    if found is None:
        return None, findings
    says, channels = found.says, found.says.channels()
    named = [(f"/routes/{name}/to", doc.to) for name, doc in says.routes.items()]
    if says.dead_man is not None:
        named.append(("/dead_man/to", says.dead_man.to))
    known = ", ".join(channels) or "none yet"
    for pointer, names in named:
        for at, name in enumerate(names):
            if name not in channels:
                fix = f"name a channel of this file ({known})"
                findings.append(found.document.finding(f"{pointer}/{at}", f'there is no channel "{name}"', fix))
    for name, doc in says.routes.items():
        for key, values, real in (("sites", doc.sites, province.sites), ("units", doc.units, province.units)):
            for at, value in enumerate(values):
                if value not in real:
                    what, fix = f'there is no "{value}"', f"name one of the inventory's {key}"
                    findings.append(found.document.finding(f"/routes/{name}/{key}/{at}", what, fix))
    kinds = [*says.mail, *says.webhook, *says.syslog]
    for name in sorted({n for n in kinds if kinds.count(n) > 1}):
        findings.append(found.document.finding(f"/mail/{name}", f'two channels are called "{name}"', "rename one"))
    if findings:
        return None, findings
    return Settings(
        channels=channels,
        routes=tuple(doc.to_domain(name) for name, doc in says.routes.items()),
        dead_man=None if says.dead_man is None else says.dead_man.to_domain(),
        heartbeat=None if says.heartbeat is None else says.heartbeat.to_domain(),
        console=(says.console or "").rstrip("/"),
        zone=zone,
        units=units,
    ), []
