"""Outages of links that were declared before they began: as written.

The rule for links to the state's network (CPN-04) counts them out of its seven days; one that was declared
afterwards explains a fault and does not take it away.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from inventory.model import Outage

FORM = "%Y-%m-%d %H:%M"


def _moment(value: object) -> object:
    try:
        return datetime.strptime(str(value), FORM)
    except ValueError:
        raise ValueError(f"{value} is not a moment: local time like 2026-11-20 22:00") from None


Moment = Annotated[datetime, BeforeValidator(_moment, json_schema_input_type=str)]


class OutageDoc(BaseModel):
    """One entry of `policy.outages` in province.yaml. Times are the province's own."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    link: str = Field(min_length=1, max_length=100)
    declared: Moment
    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    reason: str = Field(default="", max_length=500)

    def to_domain(self, zone: ZoneInfo) -> Outage:
        return Outage(
            link=self.link,
            declared=self.declared.replace(tzinfo=zone),
            start=self.start.replace(tzinfo=zone),
            end=self.end.replace(tzinfo=zone),
            reason=self.reason,
        )
