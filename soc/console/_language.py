"""Vietnamese and English: catalogues read from the .po files at start, numbers, times, durations.

Message ids are the English texts, so English needs no catalogue of its own beyond its plurals.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

LOCALE = Path(__file__).parent / "locale"
DEFAULT = "vi"
NAMES = {"vi": "Tiếng Việt", "en": "English"}


class Language:
    """One language's texts and formats, in the province's time zone."""

    def __init__(self, code: str, zone: ZoneInfo) -> None:
        self.code, self._zone = code, zone
        self._catalogue = _catalogue(LOCALE / code / "LC_MESSAGES" / "canh.po", code)

    def text(self, message: str) -> str:
        return self._catalogue.gettext(message)

    def plural(self, one: str, many: str, number: int) -> str:
        return self._catalogue.ngettext(one, many, number)

    def number(self, value: float, digits: int = 0) -> str:
        """1.240 and 2,1 in Vietnamese, 1,240 and 2.1 in English."""
        text = f"{value:,.{digits}f}"
        return text.translate(_SWAP) if self.code == "vi" else text

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self._zone)

    def stamp(self, at: datetime) -> str:
        return f"{self.local(at):%d/%m/%Y %H:%M:%S}"

    def clock(self, at: datetime) -> str:
        return f"{self.local(at):%H:%M:%S}"

    def minute(self, at: datetime, now: datetime) -> str:
        """19:49, with the day when it is another one."""
        local = self.local(at)
        return f"{local:%H:%M}" if local.date() == self.local(now).date() else f"{local:%H:%M %d/%m}"

    @property
    def zone(self) -> str:
        """As people write it: GMT+7."""
        hours = (datetime.now(self._zone).utcoffset() or timedelta()).total_seconds() / 3600
        return f"GMT{hours:+g}" if hours else "GMT"

    def span(self, length: timedelta) -> str:
        """17 ph, 1 giờ 12, 3 ngày; 17 min, 1 h 12, 3 d."""
        minutes = max(0, int(length.total_seconds() // 60))
        vi = self.code == "vi"
        if minutes < 1:
            seconds = max(0, int(length.total_seconds()))
            return f"{seconds} giây" if vi else f"{seconds} s"
        if minutes < 60:
            return f"{minutes} ph" if vi else f"{minutes} min"
        hours, rest = divmod(minutes, 60)
        if hours < 48:
            return f"{hours} giờ {rest:02d}" if vi else f"{hours} h {rest:02d}"
        return f"{hours // 24} ngày" if vi else f"{hours // 24} d"


def languages(zone: str) -> dict[str, Language]:
    return {code: Language(code, ZoneInfo(zone)) for code in NAMES}


def hms(length: timedelta) -> str:
    """00:03:31, without a sign."""
    seconds = abs(int(length.total_seconds()))
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


_SWAP = str.maketrans(",.", ".,")


def _catalogue(path: Path, code: str) -> GNUTranslations:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return GNUTranslations(compiled)
