"""Read what a row of a lead file says of how far its crawl may go. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caselog.records.choices import InvalidTls
from caselog.store.leads import LeadLimits
from crawler.reading.address import AddressError, canonical_url, split

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS = ("path", "depth", "pages", "seconds", "invalid_tls")
MOST = {"depth": 1_000, "pages": 1_000_000, "seconds": 30 * 24 * 3600}
LEAST = {"depth": 0, "pages": 1, "seconds": 1}
Fault = tuple[str, str]


def limits_of(values: Mapping[str, str], *, url: str) -> LeadLimits | Fault:
    """Return the limits that a row sets, or the code and the reason why it cannot be taken.

    Args:
        values: The row's fields; absent ones set no limit.
        url: The row's address in canonical form; it must lie below its own path.
    """
    numbers: dict[str, int] = {}
    for name in MOST:
        found = _number(name, values.get(name, "").strip())
        if isinstance(found, tuple):
            return found
        if found is not None:
            numbers[name] = found
    tls = values.get("invalid_tls", "").strip().lower() or InvalidTls.READ
    if tls not in set(InvalidTls):
        return "invalid_tls", "The field invalid_tls is neither read nor refuse."
    path = _path(values.get("path", "").strip(), url)
    if isinstance(path, tuple):
        return path
    return LeadLimits(
        path_prefix=path,
        depth=numbers.get("depth"),
        pages=numbers.get("pages"),
        seconds=numbers.get("seconds"),
        invalid_tls=InvalidTls(tls),
    )


def _number(name: str, text: str) -> int | Fault | None:
    if not text:
        return None
    is_number = text.isascii() and text.isdigit() and len(text) < 10
    if not is_number or not LEAST[name] <= int(text) <= MOST[name]:
        return name, f"The field {name} is no whole number from {LEAST[name]} to {MOST[name]}."
    return int(text)


def _path(text: str, url: str) -> str | Fault | None:
    """Return the path in the form in which addresses are compared with it."""
    if not text:
        return None
    parts = split(url)
    if not text.startswith("/"):
        return "path", "The field path does not begin with a slash."
    try:
        path = split(canonical_url(f"{parts.scheme}://{parts.host}{text}")).path
    except AddressError:
        return "path", "The field path cannot be part of an address."
    if parts.path != path and not parts.path.startswith(path.rstrip("/") + "/"):
        return "path", "The lead's own address does not lie below its path."
    return path
