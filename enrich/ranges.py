"""Look addresses up in range files that the operator supplies: text ranges, prefixes, mmdb.

Text forms, told apart by their first line of data (all may mix IPv4 and IPv6):
`first,last,CC` with numbers or addresses (tor-geoipdb, csv), `prefix,CC`,
`first<tab>last<tab>asn<tab>CC<tab>name` (iptoasn), `prefix<tab>asn` (pyasn).
Where ranges overlap, the one that starts last wins.
"""

from __future__ import annotations

import csv
import re
import socket
import threading
from bisect import bisect_right
from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import maxminddb

from caselog.errors import ConfigError
from enrich.addresses import parse_address, parse_block
from enrich.interface import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from enrich.addresses import Address

Row = tuple[int, int, int, tuple[str, ...]]
"""Family, first, last, the fields after the addresses."""

_MMDB_MARK = b"\xab\xcd\xefMaxMind.com"
_HEAD_LINES = 40
_NOT_COUNTRIES = frozenset({"AA", "ZZ", "EU", "AP", "XX", "UN"})
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ISO_DATE = re.compile(r"\b(20\d\d)-(\d\d)-(\d\d)")
_DAY_FIRST = re.compile(r"\b(\d{1,2})\s+([A-Za-z]{3})[a-z]*\.?\s+(20\d\d)\b")
_MONTH_FIRST = re.compile(r"\b([A-Za-z]{3})[a-z]*\.?\s+(\d{1,2}),?\s+(20\d\d)\b")


def country_code(value: object) -> str | None:
    """Return an ISO 3166-1 alpha-2 code in capitals; None for anything else, regions included."""
    if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
        return None
    code = value.upper()
    return None if code in _NOT_COUNTRIES else code


class Ranges:
    """Sorted ranges of one address family; `find` takes a logarithmic time."""

    def __init__(self, rows: Iterable[tuple[int, int, tuple[str, ...]]]) -> None:
        ordered = sorted(rows, key=lambda row: (row[0], -row[1]))
        self._starts = [row[0] for row in ordered]
        self._ends = [row[1] for row in ordered]
        self._values = [row[2] for row in ordered]
        self._outer = _enclosing(self._starts, self._ends)

    def find(self, number: int) -> tuple[str, ...] | None:
        """Return the fields of the innermost range that holds `number`."""
        at = bisect_right(self._starts, number) - 1
        while at >= 0 and self._ends[at] < number:
            at = self._outer[at]
        return self._values[at] if at >= 0 else None


def _enclosing(starts: list[int], ends: list[int]) -> list[int]:
    outer: list[int] = []
    open_ranges: list[int] = []
    for at, start in enumerate(starts):
        while open_ranges and ends[open_ranges[-1]] < start:
            open_ranges.pop()
        outer.append(open_ranges[-1] if open_ranges else -1)
        open_ranges.append(at)
    return outer


class TextRanges:
    """A text file of ranges, read when the first address is looked up.

    With `public_only` it is known to hold public addresses only, and is not read for others.
    """

    def __init__(self, path: Path, *, public_only: bool = False) -> None:
        self.name = path.name
        self._path = path
        self._public_only = public_only
        self._lock = threading.Lock()
        self._families: dict[int, Ranges] | None = None
        head = _head(path)
        self.data_date = _date_in(head) or _changed_on(path)
        if not any(True for _ in _rows(head)):
            raise ConfigError(
                f"The range file {path.name} has an unknown form.",
                "Known forms: first,last,CC; prefix,CC; iptoasn tsv; pyasn dat; mmdb.",
            )

    def find(self, ip: Address) -> tuple[str, ...] | None:
        """Return the fields that stand behind the range of `ip`."""
        if self._public_only and not ip.is_global:
            return None
        with self._lock:
            if self._families is None:
                self._families = self._load()
        return self._families[ip.version].find(int(ip))

    def country(self, ip: Address) -> str | None:
        """Return the first field that has a country's form."""
        found = (country_code(value) for value in self.find(ip) or ())
        return next((code for code in found if code), None)

    def origin(self, ip: Address) -> Origin | None:
        """Return the autonomous system behind the range of `ip`; 0 means not routed."""
        return _origin_in(self.find(ip) or ())

    def _load(self) -> dict[int, Ranges]:
        sorted_out: dict[int, list[tuple[int, int, tuple[str, ...]]]] = {4: [], 6: []}
        try:
            with self._path.open(encoding="utf-8", errors="replace", newline="") as lines:
                for family, first, last, value in _rows(lines):
                    sorted_out[family].append((first, last, value))
        except OSError as error:
            raise ConfigError(f"The range file {self.name} cannot be read.", "Check its rights.") from error
        return {family: Ranges(rows) for family, rows in sorted_out.items()}


class MmdbRanges:
    """A MaxMind-form database; its date is the build time in its own metadata."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            self._reader = maxminddb.open_database(str(path), maxminddb.MODE_MEMORY)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise ConfigError(f"The database {path.name} cannot be read.", "Fetch it again.") from error
        metadata = self._reader.metadata()
        self._families = {4, 6} if metadata.ip_version == 6 else {4}
        self.data_date = datetime.fromtimestamp(metadata.build_epoch, UTC).date()

    def _get(self, ip: Address) -> dict[str, Any]:
        if ip.version not in self._families:
            return {}
        try:
            found = self._reader.get(ip)
        except (ValueError, maxminddb.InvalidDatabaseError):
            return {}
        return found if isinstance(found, dict) else {}

    def country(self, ip: Address) -> str | None:
        """Return `country.iso_code`, `country_code` or a plain `country`."""
        found = self._get(ip)
        country = found.get("country")
        nested = country.get("iso_code") if isinstance(country, dict) else country
        return country_code(nested) or country_code(found.get("country_code"))

    def origin(self, ip: Address) -> Origin | None:
        """Return the system from `autonomous_system_number` or `asn`."""
        found = self._get(ip)
        asn = _asn(str(found.get("autonomous_system_number", found.get("asn", ""))))
        name = found.get("autonomous_system_organization", found.get("as_name"))
        return Origin(asn=asn, name=name if isinstance(name, str) else None) if asn else None


def open_ranges(path: Path, *, public_only: bool = False) -> TextRanges | MmdbRanges:
    """Open a range file of any known form.

    Args:
        path: The file.
        public_only: No other than public addresses can stand in it: a text is not read for them.

    Raises:
        ConfigError: The file is missing, unreadable or of an unknown form.

    """
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 131072))
            tail = file.read()
    except OSError as error:
        raise ConfigError(
            f"The range file {path.name} cannot be read.", "Check the path in [enrich]."
        ) from error
    return (
        MmdbRanges(path)
        if path.suffix == ".mmdb" or _MMDB_MARK in tail
        else TextRanges(path, public_only=public_only)
    )


def _head(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as lines:
            return [line[:2000] for line in islice(lines, _HEAD_LINES)]
    except OSError as error:
        raise ConfigError(f"The range file {path.name} cannot be read.", "Check its rights.") from error


def _changed_on(path: Path) -> date:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()


def _date_in(head: Iterable[str]) -> date | None:
    for line in head:
        if line.startswith(("#", ";", "//")) and (found := _read_date(line)):
            return found
    return None


def _read_date(line: str) -> date | None:
    if match := _ISO_DATE.search(line):
        year, month, day = (int(part) for part in match.groups())
    elif match := _DAY_FIRST.search(line):
        day, month, year = int(match[1]), _month(match[2]), int(match[3])
    elif match := _MONTH_FIRST.search(line):
        day, month, year = int(match[2]), _month(match[1]), int(match[3])
    else:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _month(word: str) -> int:
    return _MONTHS.index(word.lower()) + 1 if word.lower() in _MONTHS else 0


def _rows(lines: Iterable[str]) -> Iterator[Row]:
    for line in lines:
        if line.startswith(("#", ";", "//")) or not line.strip():
            continue
        if row := _row(_fields(line.rstrip("\r\n"))):
            yield row


def _fields(line: str) -> list[str]:
    if "\t" in line:
        return line.split("\t")
    if '"' not in line:
        return line.split(",")
    return next(csv.reader([line]), [])


def _row(fields: list[str]) -> Row | None:
    if len(fields) < 2:
        return None
    if "/" in fields[0]:
        block = parse_block(fields[0])
        return (block.first.version, int(block.first), int(block.last), tuple(fields[1:])) if block else None
    first, last = _number(fields[0]), _number(fields[1])
    if first is None or last is None or len(fields) < 3 or first[0] != last[0] or first[1] > last[1]:
        return None
    return first[0], first[1], last[1], tuple(fields[2:])


def _number(text: str) -> tuple[int, int] | None:
    if text.isascii() and text.isdigit() and len(text) < 40:
        number = int(text)
        return (4 if number < 1 << 32 else 6), number
    if ":" in text:
        try:
            return 6, int.from_bytes(socket.inet_pton(socket.AF_INET6, text))
        except (OSError, ValueError):
            return None
    address = parse_address(text)
    return (address.version, int(address)) if address else None


def _asn(text: str) -> int | None:
    digits = text.strip().upper().removeprefix("AS")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 10:
        return None
    number = int(digits)
    return number if 0 < number < 1 << 32 else None


def _origin_in(fields: tuple[str, ...]) -> Origin | None:
    numbers = [(at, number) for at, field in enumerate(fields) if (number := _asn(field))]
    if not numbers:
        return None
    at, asn = numbers[0]
    rest = [field.strip() for field in fields[at + 1 :]]
    country = next((code for field in rest if (code := country_code(field))), None)
    name = next((field for field in rest if field and country_code(field) is None and field != "None"), None)
    return Origin(asn=asn, name=name[:200] if name else None, country=country)
