"""What goes over the pipe between a worker and its crawler process: JSON lines of ids and counts.

The worker sends orders, the crawler process reports. Neither sends an address, a host name or text.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from caselog.records.ids import EvidenceId, LeadId, SiteId
from crawler.crawl.slices import Ending, Slice, SliceEnd

if TYPE_CHECKING:
    from collections.abc import Mapping

STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOrder:
    """Evidence of one site to look at again."""

    site_id: SiteId
    evidence_ids: tuple[EvidenceId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksDone:
    """What the checks of one site saw."""

    checks: int = 0
    requests: int = 0
    signals: Mapping[str, int] = field(default_factory=dict)
    states: Mapping[str, int] = field(default_factory=dict)


def order_line(name: str, order: Slice | CheckOrder) -> bytes:
    """Return the line that sends an order under a name, by which it is reported on."""
    kind = "slice" if isinstance(order, Slice) else "checks"
    return _line({"name": name, kind: asdict(order)})


def stop_line() -> bytes:
    """Return the line that tells the crawler process to stop."""
    return _line({"name": STOP})


def order_of(line: bytes) -> tuple[str, Slice | CheckOrder | None]:
    """Return the name and the order that a line sends; None is the order to stop.

    Raises:
        ValueError: The line is none that a worker sends.
    """
    try:
        sent: dict[str, Any] = json.loads(line)
        name: str = sent["name"]
        if "slice" in sent:
            values = sent["slice"]
            numbers = tuple(LeadId(number) for number in values.pop("lead_ids"))
            return name, Slice(site_id=SiteId(values.pop("site_id")), lead_ids=numbers, **values)
        if "checks" in sent:
            values = sent["checks"]
            items = tuple(EvidenceId(number) for number in values["evidence_ids"])
            return name, CheckOrder(site_id=SiteId(values["site_id"]), evidence_ids=items)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("no order of a worker") from error
    if name != STOP:
        raise ValueError("no order of a worker")
    return name, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an order could not be carried out."""

    kind: str
    """Of the error: `source` is worth another try."""
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """The crawler process lives; sent every second."""

    pages: int = 0
    """Pages recorded since its start."""
    sites: int = 0
    """Sites that it is at work on."""


Report = SliceEnd | ChecksDone | Failure | Alive
_KINDS: dict[str, type[SliceEnd | ChecksDone | Failure | Alive]] = {
    "slice": SliceEnd,
    "checks": ChecksDone,
    "failure": Failure,
    "alive": Alive,
}


def report_line(name: str, report: Report) -> bytes:
    """Return the line that reports on an order."""
    kind = next(word for word, cls in _KINDS.items() if isinstance(report, cls))
    return _line({"name": name, kind: asdict(report)})


def report_of(line: bytes) -> tuple[str, Report]:
    """Return the name and the report of a line.

    Raises:
        ValueError: The line is none that a crawler process sends.
    """
    try:
        sent: dict[str, Any] = json.loads(line)
        name: str = sent.pop("name")
        ((kind, values),) = sent.items()
        if kind == "slice":
            return name, SliceEnd(**{**values, "ending": Ending(values["ending"])})
        return name, _KINDS[kind](**values)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("no report of a crawler process") from error


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
