"""Keep what registries answered, and their pace, in the case log, so that a restart asks nothing again.

These stand behind the `Cache` and `Limiter` protocols of `enrich`.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from caselog.store import lookups
from enrich.addresses import Span, unwrap
from enrich.interface import Cached, PausedError
from enrich.memory import MemoryCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from caselog.store.log import CaseLog
    from enrich.addresses import Address

FARTHEST_TURN = timedelta(hours=1)
FARTHEST_PAUSE = timedelta(days=1)
NAME_CHARACTERS = 56


class StoredCache:
    """Answers by range in the case log; one too large for a row is kept in memory.

    Args:
        log: The case log; never called inside a write transaction of the same thread.
        kind: Which answers these are, at most 16 characters.

    """

    def __init__(self, log: CaseLog, kind: str) -> None:
        self._log = log
        self._kind = kind
        self._large = MemoryCache()

    def get(self, ip: Address, now: datetime) -> Cached | None:
        """Return the narrowest answer that holds `ip` and has not run out."""
        with self._log.read() as reader:
            kept = lookups.narrowest(reader, self._kind, _bytes(ip), now)
        if kept is None:
            return self._large.get(ip, now)
        return Cached(
            span=Span(first=_address(kept.first), last=_address(kept.last)),
            facts=json.loads(kept.text),
            fetched_at=min(kept.fetched_at, now),
            expires_at=kept.expires_at,
        )

    def put(self, cached: Cached) -> None:
        """Remember an answer in place of an earlier one for the same range."""
        text = json.dumps(cached.facts, separators=(",", ":"))
        if len(text) > lookups.MOST_CHARACTERS:
            self._large.put(cached)
            return
        answer = lookups.KeptAnswer(
            kind=self._kind,
            first=_bytes(cached.span.first),
            last=_bytes(cached.span.last),
            text=text,
            fetched_at=cached.fetched_at,
            expires_at=cached.expires_at,
        )
        with self._log.write() as writer:
            lookups.keep(writer, answer)


class StoredLimiter:
    """Turns a fixed time apart for each server, shared by all processes of the workspace.

    A turn or pause that lies absurdly far ahead was written by a wrong clock and does not count.

    Args:
        log: The case log.
        seconds_apart: By server; the empty name stands for all others.
        clock: The present time; a look-up's own `now` stands still while it waits.

    """

    def __init__(
        self, log: CaseLog, seconds_apart: Mapping[str, float], clock: Callable[[], datetime]
    ) -> None:
        self._log = log
        self._apart = dict(seconds_apart)
        self._clock = clock

    def reserve(self, server: str, now: datetime) -> float:
        """Return the seconds until this turn.

        Raises:
            PausedError: The server asked for patience.

        """
        del now
        apart = self._apart.get(server, self._apart.get("", 0.0))
        present = self._clock()
        with self._log.write() as writer:
            until = lookups.moment(writer, _name("pause", server))
            if until is not None and present < until <= present + FARTHEST_PAUSE:
                raise PausedError("A registry is paused.", retry_at=until)
            if not apart:
                return 0.0
            next_turn = lookups.moment(writer, _name("turn", server))
            is_ahead = next_turn is not None and present < next_turn <= present + FARTHEST_TURN
            turn = next_turn if next_turn is not None and is_ahead else present
            lookups.set_moment(writer, _name("turn", server), turn + timedelta(seconds=apart))
        return (turn - present).total_seconds()

    def pause(self, server: str, until: datetime) -> None:
        """Ask this server nothing before `until`; a longer pause that stands already stays."""
        name = _name("pause", server)
        with self._log.write() as writer:
            there = lookups.moment(writer, name)
            if there is None or not until <= there <= self._clock() + FARTHEST_PAUSE:
                lookups.set_moment(writer, name, until)


def _name(what: str, server: str) -> str:
    if len(server) > NAME_CHARACTERS:
        server = hashlib.sha256(server.encode()).hexdigest()[:NAME_CHARACTERS]
    return f"{what} {server}"


def _bytes(ip: Address) -> bytes:
    return ip.packed if isinstance(ip, IPv6Address) else b"\x00" * 10 + b"\xff\xff" + ip.packed


def _address(packed: bytes) -> IPv4Address | IPv6Address:
    return unwrap(IPv6Address(packed))
