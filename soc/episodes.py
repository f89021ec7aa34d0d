"""Episodes: a storm of equal findings is one alert whose count grows.

A stateless rule's matches on one device with equal values of its group fields, and a correlation's
firings in one group, belong to one episode while they come no further apart than a gap; it ends
after an hour, so that what never stops comes back to the queue. docs/decisions/0004-episodes.md
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from monitoring.event import Event
from soc.alert import FieldMatch
from soc.sigma.correlator import Firing
from soc.sigma.rule import EPISODE_GAP, EPISODE_LONGEST, Rule
from soc.sigma.window import Entry

MOST_EVENTS = 100  # copies an alert keeps
MOST_EPISODES = 20_000
MOST_OF_A_RULE = 500  # running at once; what more there is are one alert a site: nobody reads thousands
_NAMESPACE = UUID("6f0e5d5a-3f0b-5d0c-9a53-9f4f3c2f7e11")  # of alert ids
_LAST = "\U0010ffff"  # behind every rule's id
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Episode:
    """One alert as detection keeps it; its events are in the outbox. Moments are microseconds since 1970 UTC."""

    alert_id: str
    rule_id: str
    title: str
    level: str
    tags: tuple[str, ...]
    is_silent: bool  # only feeds other correlations
    key: str
    device: str
    site: str
    group: tuple[tuple[str, str], ...]
    matches: tuple[FieldMatch, ...]
    start_us: int  # @timestamp of what began it
    first_us: int
    last_us: int
    raised_us: int
    received_us: int
    gap_us: int
    touched_us: int  # when something for it was last received
    count: int = 0
    kept: int = 0  # events copied
    counted_to: tuple[int, str] = (0, "")  # correlation: entries up to here are in `count`


@dataclass(slots=True)
class EpisodeChanges:
    """What to write down since the last time."""

    changed: dict[str, Episode] = field(default_factory=dict)  # by alert id
    begun: set[str] = field(default_factory=set)  # alert ids
    copies: list[tuple[str, int, str, bytes]] = field(default_factory=list)  # alert id, @timestamp, event id, event
    ended: set[str] = field(default_factory=set)  # alert ids


class Episodes:
    """Those that may still grow, by rule and key."""

    def __init__(self, most: int = MOST_EPISODES, most_of_a_rule: int = MOST_OF_A_RULE) -> None:
        self._open: OrderedDict[tuple[str, str], Episode] = OrderedDict()
        self._of_rule: Counter[str] = Counter()
        self._most_of_a_rule = most_of_a_rule
        self._changes = EpisodeChanges()
        self._most = most
        self.raised = 0
        self.counts: Counter[str] = Counter()

    def see(self, rule: Rule, event: Event, encoded: bytes, matches: tuple[FieldMatch, ...], now: datetime) -> None:
        """A match of a stateless rule: a new alert, or one more in a running episode."""
        at, received = microseconds(event.timestamp), microseconds(event.received)
        device = device_of(event)
        group = tuple((name, event.text(name)) for name in rule.group_by if name in event.fields)
        stranger = "" if device else event.text("host.ip")
        key = json.dumps([device, stranger, *group], ensure_ascii=False)
        if stranger and "host.ip" not in rule.group_by:  # else alerts of two strangers would be told as one
            group += (("host.ip", stranger),)
        episode, site = self._running(rule.id, key, at, received), event.text("canh.site")
        if episode is None and self._of_rule[rule.id] >= self._most_of_a_rule:
            self.counts["episodes_gathered"] += 1
            device, group = "", (("further", f"> {self._most_of_a_rule}"),)
            key = json.dumps(["further", site], ensure_ascii=False)
            episode = self._running(rule.id, key, at, received)
        if episode is None:
            episode = self._begin(
                Episode(
                    alert_id=str(uuid5(_NAMESPACE, f"{rule.id} {event.id}")),
                    rule_id=rule.id,
                    title=rule.title,
                    level=rule.level,
                    tags=rule.tags,
                    is_silent=False,
                    key=key,
                    device=device,
                    site=site,
                    group=group,
                    matches=matches,
                    start_us=at,
                    first_us=at,
                    last_us=at,
                    raised_us=microseconds(now),
                    received_us=received,
                    gap_us=round(rule.gap / timedelta(microseconds=1)),
                    touched_us=received,
                )
            )
        episode.count += 1
        if episode.kept < MOST_EVENTS:
            self._changes.copies.append((episode.alert_id, at, event.id, encoded))
            episode.kept += 1
        self._grown(episode, at, at, received)

    def fire(self, firing: Firing, now: datetime) -> tuple[str, list[Entry]]:
        """A correlation holds: a new alert, or a running one grows. Returns its id and whose events it is to keep."""
        correlation, last = firing.correlation, firing.last
        first_us = firing.entries[firing.low].at_us
        episode = self._running(correlation.id, firing.key, last.at_us, last.received_us)
        if episode is None:
            gap = max(EPISODE_GAP, correlation.timespan)
            episode = self._begin(
                Episode(
                    # The moment alone comes again when the sender's clock stands still.
                    alert_id=str(uuid5(_NAMESPACE, f"{correlation.id} {firing.key} {last.at_us} {last.id}")),
                    rule_id=correlation.id,
                    title=correlation.title,
                    level=correlation.level,
                    tags=correlation.tags,
                    is_silent=not correlation.alerts,
                    key=firing.key,
                    device=last.device,
                    site=last.site,
                    group=firing.group,
                    matches=_why(firing),
                    start_us=last.at_us,
                    first_us=first_us,
                    last_us=last.at_us,
                    raised_us=microseconds(now),
                    received_us=last.received_us,
                    gap_us=round(gap / timedelta(microseconds=1)),
                    touched_us=last.received_us,
                )
            )
        fresh = _fresh(firing, episode.counted_to)
        episode.count += len(fresh)
        kept = fresh[: MOST_EVENTS - episode.kept]
        episode.kept += len(kept)
        episode.counted_to = max(episode.counted_to, firing.entries[firing.high - 1][:2])
        self._grown(episode, first_us, last.at_us, last.received_us)
        return episode.alert_id, kept

    def expire(self, clock_us: int) -> None:
        """End those that nothing can join any more."""
        over = [e for e in self._open.values() if e.touched_us + e.gap_us < clock_us]
        for episode in over:
            self._end(episode)

    def put_back(self, clock_us: int) -> None:
        """End those that were touched later than now, when our clock was ahead: they would run for as long."""
        for episode in [e for e in self._open.values() if e.touched_us > clock_us]:
            self._end(episode)

    def end(self, rules: Collection[str]) -> None:
        """End those of these rules: what comes next is a new alert."""
        for episode in [e for e in self._open.values() if e.rule_id in rules]:
            self._end(episode)

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to write down."""
        return bool(self._changes.changed or self._changes.ended)

    def changes(self) -> EpisodeChanges:
        """What changed since the last call."""
        changes, self._changes = self._changes, EpisodeChanges()
        return changes

    def restore(self, episodes: Iterable[Episode]) -> None:
        """Put running ones back, in the order they were last touched."""
        for episode in episodes:
            self._open[episode.rule_id, episode.key] = episode
            self._of_rule[episode.rule_id] += 1

    def __len__(self) -> int:
        return len(self._open)

    def _running(self, rule_id: str, key: str, at_us: int, received_us: int) -> Episode | None:
        """The episode a moment belongs to. An older moment joins it too: order of arrival must not make storms.

        Where a sender's clock stands still ours ends it, later than the sender's would.
        """
        episode = self._open.get((rule_id, key))
        if episode is None:
            return None
        longest = round(EPISODE_LONGEST / timedelta(microseconds=1))
        is_within = at_us - episode.start_us < longest and received_us - episode.received_us < 2 * longest
        if is_within and at_us <= episode.last_us + episode.gap_us:
            return episode
        self._end(episode)
        return None

    def _begin(self, episode: Episode) -> Episode:
        if len(self._open) >= self._most:
            self._end(next(iter(self._open.values())))
            self.counts["episodes_evicted"] += 1
        self._open[episode.rule_id, episode.key] = episode
        self._of_rule[episode.rule_id] += 1
        self._changes.begun.add(episode.alert_id)
        self.raised += not episode.is_silent
        return episode

    def _grown(self, episode: Episode, first_us: int, last_us: int, received_us: int) -> None:
        episode.first_us = min(episode.first_us, first_us)
        episode.last_us = max(episode.last_us, last_us)
        episode.touched_us = max(episode.touched_us, received_us)
        self._open.move_to_end((episode.rule_id, episode.key))
        self._changes.changed[episode.alert_id] = episode

    def _end(self, episode: Episode) -> None:
        del self._open[episode.rule_id, episode.key]
        self._of_rule[episode.rule_id] -= 1
        if not self._of_rule[episode.rule_id]:
            del self._of_rule[episode.rule_id]
        self._changes.ended.add(episode.alert_id)


def _fresh(firing: Firing, counted_to: tuple[int, str]) -> list[Entry]:
    """What made it hold and the episode has not counted; a late entry stands before `counted_to`."""
    entries, last = firing.entries, firing.last
    begin = max(firing.low, bisect_right(entries, (*counted_to, _LAST), hi=firing.high))
    fresh = [entry for entry in entries[begin : firing.high] if entry.rule in firing.rules]
    late = bisect_left(entries, (last.at_us, last.id, last.rule))
    if late < begin and late < len(entries) and entries[late][:3] == (last.at_us, last.id, last.rule):
        fresh.append(entries[late])
    return fresh


def device_of(event: Event) -> str:
    """The device's name in the inventory, "" when the sender is in none."""
    return event.text("host.name") if event.get("canh.source.known") is True else ""


def microseconds(when: datetime) -> int:
    return (when - _EPOCH) // timedelta(microseconds=1)


def moment(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def _why(firing: Firing) -> tuple[FieldMatch, ...]:
    """The group and the threshold that was met, in the shape of a rule's field matches."""
    correlation = firing.correlation
    limits = correlation.expression or " and ".join(f"{op} {limit:g}" for op, limit in correlation.conditions)
    met = FieldMatch(
        selection=str(correlation.kind),
        field=correlation.field or "events",
        value=f"{firing.value:g}",
        pattern=f"{limits} in {correlation.timespan.total_seconds():g} s",
    )
    return (
        met,
        *(FieldMatch(selection="group-by", field=name, value=value, pattern="") for name, value in firing.group),
    )
