"""Make a round of checks inside a running crawl: look at evidence again and record what was seen.

Reads the evidence handed in, appends a `Check` for each item looked at.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from random import SystemRandom
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scrapy import Request

from caselog.records.pages import Check, Rule
from caselog.store import checks, fingerprints
from crawler.checks.look import Stored
from crawler.checks.looks import Compared, Looker, Seen, seen_of
from crawler.checks.outcome import (
    blocks_shared,
    containment,
    decide_signal,
    needs_controls,
    needs_second_vantage,
    weaker,
)
from crawler.checks.removal import Step, next_state
from crawler.checks.watched import may_contact
from crawler.quiet_hours import quiet_now
from crawler.reading.address import bare_host, host_key, pattern, query_sibling, sibling_probe
from crawler.reading.fingerprint import FingerprintKey
from crawler.reading.matching import Matcher
from crawler.sandbox.reader import Sandbox
from crawler.transport.client import Transport
from crawler.transport.pin import TransportAddon

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scrapy.crawler import Crawler

    from caselog.records.choices import Signal
    from caselog.records.pages import Evidence
    from caselog.records.people import Decision
    from caselog.workspace import Workspace
    from crawler.checks.look import Look
    from crawler.checks.looks import Taken
    from crawler.checks.removal import State
    from crawler.checks.watched import Watched

OWN, BOTH, CIRCUITS = "own", "own+second", "own+circuits"
"""Which views were taken: ours, with the second vantage, or with new circuits through Tor."""
TWO_VIEWS = frozenset({BOTH, CIRCUITS})


@dataclass(slots=True)
class Controls:
    """The surely missing siblings and the root of one pattern of a site, asked once a round."""

    siblings: tuple[Look, ...]
    root: Look | None


class Vantages:
    """The ways in which one round looks: the crawl's own, a second vantage, other circuits through Tor.

    Args:
        crawler: The crawl whose engine, settings and pace all looks share.
        workspace: The opened workspace.
        sandbox: Reads the pages.
    """

    def __init__(self, crawler: Crawler, workspace: Workspace, sandbox: Sandbox) -> None:
        self._crawler = crawler
        self._workspace = workspace
        self._sandbox = sandbox
        self._is_open = False
        self._second: Transport | None = None
        self._circuits: Transport | None = None

    def open_for(self, items: list[Watched]) -> None:
        """Make what other views of these items need, where it is not there yet.

        Raises:
            ConfigError: The second vantage is malformed; better now than at the first page that is gone.
        """
        if not self._is_open:
            self._second, self._is_open = self._second_transport(), True
        if self._circuits is None and any(map(_is_onion, items)):
            self._circuits = self._circuits_transport()

    def own(self, item: Watched) -> Looker:
        """Return who looks through the crawl itself."""
        return self._looker(item, self._own_fetcher(item), OWN)

    async def other(self, item: Watched) -> Looker | None:
        """Return who looks a second time: from the second vantage, at an onion through new circuits.

        An onion is never named to the second vantage, which may ask DNS for it. It sees no address of ours
        that it could shut out; what can be wrong is our Tor, so Tor itself must say that it works.
        """
        transport, vantage = self._second, BOTH
        if _is_onion(item):
            transport, vantage = await self._other_circuits(), CIRCUITS
        return self._looker(item, _fetcher_of(transport), vantage) if transport else None

    async def close(self) -> None:
        """Close the transports that are the round's own; the crawl's stays open."""
        for transport in (self._second, self._circuits):
            if transport is not None:
                await transport.close()

    def _looker(self, item: Watched, fetch: Callable[[str], Awaitable[Seen]], vantage: str) -> Looker:
        allowed = may_contact(self._workspace, item.host)
        return Looker(fetch, allowed, vantage=vantage, sandbox=self._sandbox)

    def _own_fetcher(self, item: Watched) -> Callable[[str], Awaitable[Seen]]:
        slot = item.site_tag

        async def fetch(url: str) -> Seen:
            request = Request(url, dont_filter=True, meta={"download_slot": slot, "read_errors": True})
            response = await self._crawler.engine.download_async(request)
            return seen_of(response, request.meta["fetch"])

        return fetch

    async def _other_circuits(self) -> Transport | None:
        control = self._circuits.tor_control if self._circuits else None
        if control is None:
            return None
        is_ready = await control.refusal() is None and control.is_vouched_for
        return self._circuits if is_ready else None

    def _second_transport(self) -> Transport | None:
        network = self._workspace.config.network
        if not network.second_vantage:
            return None
        return Transport(
            practice=self._workspace.practice,
            user_agent=self._crawler.settings["USER_AGENT"],
            nameservers=list(network.resolver),
            vantage=network.second_vantage,
            pace=addon.transport.pace if (addon := self._crawler.get_addon(TransportAddon)) else None,
        )

    def _circuits_transport(self) -> Transport | None:
        """Return a way to onions on other circuits than the crawl's own."""
        addon = self._crawler.get_addon(TransportAddon)
        socks = self._crawler.settings.get("LEADLINE_TOR_SOCKS")
        if addon is None or not socks:
            return None
        return Transport(
            practice=self._workspace.practice,
            user_agent=self._crawler.settings["USER_AGENT"],
            tor_socks=socks,
            tor_control=addon.transport.tor_control,
            circle=secrets.token_hex(8),
            pace=addon.transport.pace,
        )


class Round:
    """Look at evidence again, site by site, in a running crawl.

    It asks a site's control pages once, so the next round is a new one.

    Args:
        crawler: The crawl to look through; its engine must be running before the first look.
        workspace: The opened workspace.
        clock: Gives the time that checks are stamped with; the machine's by default.
        progress: Told each check after it is recorded.
        sandbox: Reads the pages, and stays open after the round; without one the round has its own.
    """

    def __init__(
        self,
        crawler: Crawler,
        workspace: Workspace,
        *,
        clock: Callable[[], datetime] | None = None,
        progress: Callable[[Check], None] | None = None,
        sandbox: Sandbox | None = None,
    ) -> None:
        self._workspace = workspace
        self._clock = clock or (lambda: datetime.now(UTC))
        self._progress = progress
        self._has_own_sandbox = sandbox is None
        self._sandbox = sandbox or Sandbox()
        self._vantages = Vantages(crawler, workspace, self._sandbox)
        self._keys = {
            epoch: FingerprintKey(epoch, secret) for epoch, secret in workspace.keys.fingerprint_keys
        }
        self._rules: dict[int, tuple[Matcher, dict[int, float]]] = {}
        self._controls: dict[tuple[str, str, str], Controls] = {}

    async def check_site(
        self, items: list[Watched], *, is_stopping: Callable[[], bool] = lambda: False
    ) -> None:
        """Look at the items of one site in turn; those that may not be asked now are passed over.

        Quiet hours, or `is_stopping`, end it before the next item. Cancelled, it records nothing of the item
        under way, which stays due.

        Raises:
            ConfigError: The second vantage is malformed.
        """
        self._vantages.open_for(items)
        for item in items:
            if is_stopping() or quiet_now(self._workspace.config.crawl.quiet_hours):
                return
            if may_contact(self._workspace, item.host)(item.host):
                await self._check(item)

    async def close(self) -> None:
        """Close what the round opened itself; it looks at nothing after that."""
        if self._has_own_sandbox:
            await self._sandbox.close()
        await self._vantages.close()

    async def _check(self, item: Watched) -> None:
        compared, stored = self._compared(item.evidence), _stored(item)
        looker = self._vantages.own(item)
        taken = await looker.look(item.url, compared)
        signal, requests = await self._signal(looker, item, compared, stored, taken)
        vantage = OWN
        other = await self._vantages.other(item) if needs_second_vantage(signal) else None
        if other is not None:
            theirs = await other.look(item.url, compared)
            said, more = await self._signal(other, item, compared, stored, theirs)
            signal, requests, vantage = weaker(signal, said), requests + more, other.vantage
        self._record(item, stored, taken, signal, requests=requests, vantage=vantage)

    async def _signal(
        self, looker: Looker, item: Watched, compared: Compared, stored: Stored, taken: Taken
    ) -> tuple[Signal, int]:
        """Return what one vantage's look says, asking the control pages where it takes them."""
        if not needs_controls(stored, taken.look):
            return decide_signal(stored, taken.look), taken.requests
        name = (looker.vantage, item.host, pattern(item.url))
        asked = 0
        if name not in self._controls:
            looks = [await looker.look(url, compared) for url in control_urls(item.url)]
            asked = sum(look.requests for look in looks)
            self._controls[name] = Controls(
                siblings=tuple(look.look for look in looks[:2]),
                root=looks[2].look if len(looks) > 2 else None,
            )
        controls = self._controls[name]
        signal = decide_signal(stored, taken.look, siblings=controls.siblings, root=controls.root)
        return signal, taken.requests + asked

    def _record(
        self, item: Watched, stored: Stored, taken: Taken, signal: Signal, *, requests: int, vantage: str
    ) -> None:
        now, look, fetch = self._clock(), taken.look, taken.fetch
        elsewhere = bool(look.final_url) and host_key(look.final_url) != item.host
        with self._workspace.log.write() as writer:
            state = self._state(
                checks.history(writer, item.evidence.id), item, now, signal, vantage, elsewhere=elsewhere
            )
            check = writer.append(
                Check(
                    evidence_id=item.evidence.id,
                    lead_id=item.evidence.lead_id,
                    signal=signal,
                    state=state.state,
                    moved=state.moved,
                    containment=containment(stored, look),
                    blocks_shared=blocks_shared(stored, look),
                    rules_score=look.rules_score,
                    http_status=look.status,
                    error=taken.error,
                    final_url=look.final_url or None,
                    peer_ip=fetch.peer_ip if fetch else None,
                    vantage=vantage,
                    requests=requests,
                    body_sha256=fetch.body_sha256 if fetch else None,
                    last_present=state.last_present,
                    first_absent=state.first_absent,
                    confirmed_at=state.confirmed_at,
                    due_at=state.due_at,
                    checked_at=now,
                )
            )
        if self._progress:
            self._progress(check)

    def _state(
        self,
        history: list[Check | Decision],
        item: Watched,
        now: datetime,
        signal: Signal,
        vantage: str,
        *,
        elsewhere: bool,
    ) -> State:
        latest = Step(at=now, signal=signal, is_elsewhere=elsewhere, has_second_vantage=vantage in TWO_VIEWS)
        return next_state(
            [step_of(row) for row in history],
            latest,
            recorded_at=item.evidence.recorded_at,
            onion=_is_onion(item),
            ladder_hours=self._workspace.config.checks.ladder_hours,
            jitter=SystemRandom().uniform(-0.2, 0.2),
        )

    def _compared(self, evidence: Evidence) -> Compared:
        if evidence.terms_version not in self._rules:
            with self._workspace.log.read() as reader:
                rules = reader.find(Rule, version=evidence.terms_version)
            self._rules[evidence.terms_version] = (
                Matcher(rules),
                {rule.number: rule.weight for rule in rules},
            )
        matcher, weights = self._rules[evidence.terms_version]
        own = {number: weights[number] for number in evidence.rules if number in weights}
        return Compared(key=self._keys[evidence.key_epoch], matcher=matcher if own else None, weights=own)


def _fetcher_of(transport: Transport) -> Callable[[str], Awaitable[Seen]]:
    async def fetch(url: str) -> Seen:
        answer = await transport.fetch(url, read_errors=True)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
        text = answer.body.decode(answer.fetch.charset or "utf-8", "replace")
        return Seen(status=answer.status, headers=headers, text=text, fetch=answer.fetch)

    return fetch


def control_urls(url: str) -> list[str]:
    """Return two surely missing siblings of an address, and the root unless the address is it."""
    siblings = []
    for _ in range(2):
        token = secrets.token_hex(6)
        siblings.append(query_sibling(url, token) or sibling_probe(url, token))
    parts = urlsplit(url)
    root = f"{parts.scheme}://{parts.netloc}/"
    return siblings if url == root else [*siblings, root]


def _is_onion(item: Watched) -> bool:
    return bare_host(item.host).endswith(".onion")


def step_of(row: Check | Decision) -> Step:
    """Return one row of an item's history as the state machine reads it."""
    if isinstance(row, Check):
        return Step(
            at=row.checked_at,
            signal=row.signal,
            is_elsewhere=row.moved,
            has_second_vantage=row.vantage in TWO_VIEWS,
        )
    return Step(at=row.decided_at, word=row.verdict)


def _stored(item: Watched) -> Stored:
    evidence = item.evidence
    return Stored(
        url=item.url,
        sketch=fingerprints.sketch_of(evidence),
        block_tags=frozenset(fingerprints.blocks_of(evidence)),
        rules=evidence.rules,
        threshold=evidence.threshold,
    )
