"""Country votes, and the files they are read from."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from caselog.errors import ConfigError
from caselog.records.choices import CountryLevel
from enrich.location import Verdict, Vote, decide, join, may_route
from enrich.national import read_national
from enrich.ranges import Ranges, country_code, open_ranges
from enrich.sources import SourceSettings, build_sources

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 20)
FRESH, OLD = date(2026, 11, 1), date(2026, 5, 1)


@pytest.mark.parametrize(
    ("votes", "country", "level"),
    [
        ("", None, CountryLevel.UNKNOWN),
        ("FI", "FI", CountryLevel.SINGLE),
        ("FI FI", "FI", CountryLevel.AGREED),
        ("FI DE", None, CountryLevel.DISPUTED),
        ("FI FI DE", "FI", CountryLevel.MAJORITY),
        ("FI FI DE DE", None, CountryLevel.DISPUTED),
        ("FI FI DE SE", None, CountryLevel.DISPUTED),
        ("fi", "FI", CountryLevel.SINGLE),
        ("FI fi", "FI", CountryLevel.SINGLE),
        ("fi fi", "FI", CountryLevel.SINGLE),
        ("FI FI fi", "FI", CountryLevel.MAJORITY),
        ("FI FI de", "FI", CountryLevel.MAJORITY),
        ("FI fi de", None, CountryLevel.DISPUTED),
    ],
)
def test_votes(votes: str, country: str | None, level: CountryLevel) -> None:
    """Small letters stand for votes from data older than 180 days."""
    cast = [
        Vote(source=str(at), country=word.upper(), data_date=FRESH if word.isupper() else OLD)
        for at, word in enumerate(votes.split())
    ]

    verdict = decide(cast, TODAY)

    assert (verdict.country, verdict.level) == (country, level)


@given(st.lists(st.sampled_from(["FI", "DE", "SE"]), max_size=6))
def test_no_country_comes_out_that_nobody_voted_for(countries: list[str]) -> None:
    cast = [Vote(source=str(at), country=code, data_date=FRESH) for at, code in enumerate(countries)]
    verdict = decide(cast, TODAY)

    assert verdict.country is None or verdict.country in countries
    assert not (may_route(verdict.level) and verdict.country is None)
    assert decide(cast[::-1], TODAY).country == verdict.country


def test_a_host_is_no_surer_than_its_weakest_address() -> None:
    vote = Vote(source="a", country="FI", data_date=FRESH)
    agreed = Verdict(country="FI", level=CountryLevel.AGREED, votes=(vote,))
    single = Verdict(country="FI", level=CountryLevel.SINGLE, votes=(vote,))
    abroad = Verdict(country="SE", level=CountryLevel.AGREED, votes=(vote,))

    assert join([agreed, single]).level is CountryLevel.SINGLE
    assert (join([agreed, abroad]).country, join([agreed, abroad]).level) == (None, CountryLevel.DISPUTED)
    assert join([agreed, Verdict()]).level is CountryLevel.AGREED
    assert join([]).level is CountryLevel.UNKNOWN


@pytest.mark.parametrize("value", ["", "F", "FIN", "??", "EU", "ZZ", "1A", "ÄÖ", None, 7, "F\n"])
def test_what_is_no_country_code_is_none(value: object) -> None:
    assert country_code(value) is None


@pytest.mark.parametrize(
    "line",
    [
        "3405803776,3405804031,FI",
        "203.0.113.0,203.0.113.255,FI",
        "203.0.113.0/24,FI",
        '"203.0.113.0","203.0.113.255","FI"',
        "203.0.113.0\t203.0.113.255\tFI",
        "203.0.113.0\t203.0.113.255\t64500\tFI\tOVEN",
    ],
)
def test_country_files_of_all_forms(tmp_path: Path, line: str) -> None:
    path = tmp_path / "geo"
    path.write_text(f"# 2026-10-01\nstart,end,country\n{line}\n\n")

    source = open_ranges(path)

    assert source.country(ip_address("203.0.113.0")) == source.country(ip_address("203.0.113.255")) == "FI"
    assert source.country(ip_address("203.0.112.255")) is source.country(ip_address("203.0.114.0")) is None
    assert source.country(ip_address("2001:db8::1")) is None


def test_ipv6_ranges_of_the_tor_form(tmp_path: Path) -> None:
    path = tmp_path / "geoip6"
    path.write_text("2001:db8::,2001:db8:0:ffff:ffff:ffff:ffff:ffff,FI\n2001:db9::,2001:db9::ff,??\n")

    source = open_ranges(path)

    assert source.country(ip_address("2001:db8::7")) == "FI"
    assert source.country(ip_address("2001:db9::7")) is None


def test_a_file_of_public_addresses_is_not_read_for_others(tmp_path: Path) -> None:
    path = tmp_path / "geo"
    path.write_text("203.0.113.0,203.0.113.255,FI\n")
    source = open_ranges(path, public_only=True)
    path.unlink()

    assert source.country(ip_address("203.0.113.7")) is None
    assert source.country(ip_address("127.0.0.1")) is None


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("# Generated: Thu, 25 Jun 2026 05:41:23 +0000", date(2026, 6, 25)),
        ("# Last updated based on June 7 2026 data", date(2026, 6, 7)),
        ("# date 2026-06-25T00:00Z", date(2026, 6, 25)),
        ("# version 7", date(2026, 2, 3)),
        ("# 2026-99-99", date(2026, 2, 3)),
    ],
)
def test_the_data_date_is_in_the_header_or_the_files_own(tmp_path: Path, header: str, expected: date) -> None:
    path = tmp_path / "geo"
    path.write_text(f"{header}\n192.0.2.0/24,FI\n")
    moment = datetime(2026, 2, 3, tzinfo=UTC).timestamp()
    os.utime(path, (moment, moment))

    assert open_ranges(path).data_date == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("192.0.2.0\t192.0.2.255\t64500\tDE\tOVEN HOST", (64500, "OVEN HOST", "DE")),
        ("192.0.2.0/24\t64500", (64500, None, None)),
        ('192.0.2.0,192.0.2.255,64500,"Oven, Host Inc"', (64500, "Oven, Host Inc", None)),
        ("192.0.2.0/24,AS64500,Oven", (64500, "Oven", None)),
    ],
)
def test_origin_files_of_all_forms(
    tmp_path: Path, line: str, expected: tuple[int, str | None, str | None]
) -> None:
    path = tmp_path / "asn"
    path.write_text(line + "\n")

    origin = open_ranges(path).origin(ip_address("192.0.2.7"))

    assert origin is not None
    assert (origin.asn, origin.name, origin.country) == expected


def test_an_unrouted_range_has_no_origin(tmp_path: Path) -> None:
    path = tmp_path / "asn"
    path.write_text("192.0.2.0\t192.0.2.255\t0\tNone\tNot routed\n")

    assert open_ranges(path).origin(ip_address("192.0.2.7")) is None


@pytest.mark.parametrize(
    "record",
    [
        {"country": {"iso_code": "FI"}},
        {"country_code": "FI"},
        {"country": "FI"},
        {"country": "Finland", "country_code": "FI"},
    ],
)
def test_mmdb_countries_of_three_forms(tmp_path: Path, record: dict[str, object]) -> None:
    path = write_mmdb(tmp_path / "any.mmdb", record)

    source = open_ranges(path)

    assert source.country(ip_address("203.0.113.7")) == "FI"
    assert source.country(ip_address("198.51.100.7")) is None
    assert source.data_date == datetime.now(UTC).date()


def test_mmdb_origins(tmp_path: Path) -> None:
    record = {"autonomous_system_number": 64500, "autonomous_system_organization": "Oven"}
    origin = open_ranges(write_mmdb(tmp_path / "asn.mmdb", record)).origin(ip_address("203.0.113.7"))

    assert origin is not None
    assert (origin.asn, origin.name) == (64500, "Oven")


def write_mmdb(path: Path, record: dict[str, object]) -> Path:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    writer.insert_network(IPSet(["203.0.113.0/24"]), record)
    writer.to_db_file(str(path))
    return path


@pytest.mark.parametrize("content", [b"", b"bread\n", b"<html>\n", b"\x00\xff\x00\n", b"1,2\n"])
def test_an_unknown_form_is_the_operators_fault(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "geo.mmdb" if content.startswith(b"\x00") else tmp_path / "geo"
    path.write_bytes(content)

    with pytest.raises(ConfigError):
        open_ranges(path)


def test_a_missing_file_is_the_operators_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        build_sources(SourceSettings(folder=tmp_path, practice=True, country=("missing",)))
    with pytest.raises(ConfigError):
        read_national(tmp_path / "missing")


def test_the_same_file_named_twice_has_one_vote(tmp_path: Path) -> None:
    (tmp_path / "geo").write_text("192.0.2.0/24,FI\n")
    (tmp_path / "link").symlink_to(tmp_path / "geo")

    sources = build_sources(SourceSettings(folder=tmp_path, practice=True, country=("geo", "./geo", "link")))

    assert len(sources.countries) == 1


BLOCKS = st.lists(
    st.tuples(st.integers(0, 255), st.integers(24, 32)).map(
        lambda pair: ip_network((0xC0000200 | pair[0], pair[1]), strict=False)
    ),
    max_size=12,
    unique=True,
)


@given(BLOCKS, st.integers(0xC0000200, 0xC00002FF))
def test_of_nested_ranges_the_narrowest_counts(blocks: list[object], number: int) -> None:
    networks = [ip_network(str(block)) for block in blocks]
    rows = [(int(block[0]), int(block[-1]), (str(block),)) for block in networks]
    fitting = [block for block in networks if int(block[0]) <= number <= int(block[-1])]
    expected = (str(max(fitting, key=lambda block: block.prefixlen)),) if fitting else None

    assert Ranges(rows).find(number) == expected
