"""Decide the hosting country from dated voters, and say how far they agree.

A registry's country is no vote: it contradicts all geolocation sources for a third of real hosting addresses.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from caselog.records.choices import CountryLevel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from enrich.addresses import Address
    from enrich.interface import CountrySource

STALE_AFTER_DAYS = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One source's country for one address."""

    source: str
    country: str
    data_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The hosting country, how sure it is, and who said so."""

    country: str | None = None
    level: CountryLevel = CountryLevel.UNKNOWN
    votes: tuple[Vote, ...] = ()


def collect_votes(ip: Address, sources: Iterable[CountrySource]) -> tuple[Vote, ...]:
    """Ask each source once; a source without an answer does not vote."""
    return tuple(
        Vote(source=source.name, country=country, data_date=source.data_date)
        for source in sources
        if (country := source.country(ip)) is not None
    )


def decide(votes: Sequence[Vote], today: date) -> Verdict:
    """Return the verdict on the votes for one address.

    `agreed` asks for two sources, none against, none older than 180 days; `majority` for more than
    half of the votes, two of them fresh; old data alone is never more than `single`. All else is `disputed`,
    without a country.
    """
    if not votes:
        return Verdict()
    country, count = Counter(vote.country for vote in votes).most_common(1)[0]
    fresh = [vote for vote in votes if (today - vote.data_date).days <= STALE_AFTER_DAYS]
    fresh_for = sum(vote.country == country for vote in fresh)
    unanimous = count == len(votes)
    if unanimous and len(votes) >= 2 and len(fresh) == len(votes):
        level = CountryLevel.AGREED
    elif fresh_for >= 2 and 2 * count > len(votes):
        level = CountryLevel.MAJORITY
    elif unanimous:
        level = CountryLevel.SINGLE
    else:
        return Verdict(level=CountryLevel.DISPUTED, votes=tuple(votes))
    return Verdict(country=country, level=level, votes=tuple(votes))


def join(verdicts: Sequence[Verdict]) -> Verdict:
    """Return one verdict for a host with several addresses: the weakest, or `disputed` when they differ.

    An address that no source knows neither helps nor hinders.
    """
    votes = tuple(dict.fromkeys(vote for verdict in verdicts for vote in verdict.votes))
    verdicts = [verdict for verdict in verdicts if verdict.votes]
    if not verdicts:
        return Verdict()
    weakness = (CountryLevel.DISPUTED, CountryLevel.SINGLE, CountryLevel.MAJORITY, CountryLevel.AGREED)
    level = min((verdict.level for verdict in verdicts), key=weakness.index)
    countries = {verdict.country for verdict in verdicts}
    if level is CountryLevel.DISPUTED or len(countries) > 1:
        return Verdict(level=CountryLevel.DISPUTED, votes=votes)
    return Verdict(country=countries.pop(), level=level, votes=votes)


def weaken(verdict: Verdict) -> Verdict:
    """Return a verdict that routes nothing by itself, for hosts that may stand behind a proxy."""
    return replace(verdict, level=CountryLevel.SINGLE) if may_route(verdict.level) else verdict


def may_route(level: CountryLevel) -> bool:
    """Say whether the country is sure enough to choose a national hotline without a person."""
    return level in {CountryLevel.AGREED, CountryLevel.MAJORITY}
