"""The frontier in the case log: nothing twice, nothing lost, and a late twin changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from caselog.errors import RefusedError
from caselog.records.choices import Origin
from caselog.records.leads import Lead
from caselog.store import frontier, sites

if TYPE_CHECKING:
    from caselog.records.ids import LeadId, SiteId
    from caselog.store.log import CaseLog, Reader, Writer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def found(reader: Reader, path: str, *, pattern: str = "p", priority: float = 0.5) -> frontier.Found:
    url = f"http://bread.example{path}"
    return frontier.Found(
        url=url, tag=frontier.url_tag(reader, url), pattern=pattern, depth=1, priority=priority
    )


def lead_on_site(writer: Writer) -> tuple[SiteId, LeadId]:
    site_id = sites.site_for(writer, "bread.example")
    lead = writer.append(
        Lead(
            url="http://bread.example/",
            host="bread.example",
            site_id=site_id,
            origin=Origin.REPORTED,
            added_by="ada",
            added_at=NOW,
        )
    )
    return site_id, lead.id


def pending(reader: Reader, site_id: SiteId, lead_id: LeadId, **changes: object) -> list[frontier.Pending]:
    wanted = {"pattern": "p", "without": (), "limit": 10, "now": NOW} | changes
    return frontier.pending(reader, site_id=site_id, lead_ids=[lead_id], **wanted)


def test_an_address_enters_the_frontier_of_its_site_once(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        site_id, lead_id = lead_on_site(writer)
        batch = [found(writer, "/a"), found(writer, "/b")]
        keywords = {"site_id": site_id, "lead_id": lead_id, "parent_id": None, "round_number": 1}
        first = frontier.add(writer, found=batch, **keywords)
        second = frontier.add(writer, found=batch, **keywords)

        assert (first, second) == (2, 0)
        assert {row.url for row in pending(writer, site_id, lead_id)} == {
            "http://bread.example/a",
            "http://bread.example/b",
        }


def test_an_address_is_finished_once(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        site_id, lead_id = lead_on_site(writer)
        frontier.seed(writer, site_id=site_id, lead_id=lead_id, found=found(writer, "/a"))
        (row,) = pending(writer, site_id, lead_id)

        assert frontier.finish(writer, row)
        assert not frontier.finish(writer, row)
        assert pending(writer, site_id, lead_id) == []
        assert frontier.asked(writer, lead_id) == 1


def test_a_late_twin_is_fenced_off(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        site_id, _ = lead_on_site(writer)
        first = frontier.take_site(writer, site_id, "one")
        second = frontier.take_site(writer, site_id, "two")

        assert second == first + 1
        frontier.fence(writer, site_id, second)
        with pytest.raises(RefusedError, match="taken by another crawl"):
            frontier.fence(writer, site_id, first)


def test_an_address_put_off_comes_back_when_it_is_due(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        site_id, lead_id = lead_on_site(writer)
        frontier.seed(writer, site_id=site_id, lead_id=lead_id, found=found(writer, "/a"))
        (row,) = pending(writer, site_id, lead_id)
        frontier.put_off(writer, row, NOW + timedelta(minutes=1))

        assert pending(writer, site_id, lead_id) == []
        (later,) = pending(writer, site_id, lead_id, now=NOW + timedelta(minutes=2))
        assert later.attempts == 1


def test_the_most_promising_address_comes_first_and_those_in_hand_are_left_out(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        site_id, lead_id = lead_on_site(writer)
        batch = [found(writer, "/low", priority=0.1), found(writer, "/high", priority=0.9)]
        frontier.add(writer, site_id=site_id, lead_id=lead_id, found=batch, parent_id=None, round_number=1)
        high, low = pending(writer, site_id, lead_id)

        assert high.url.endswith("/high")
        assert pending(writer, site_id, lead_id, without=[high.id]) == [low]


def test_a_new_round_asks_every_address_again(case_log: CaseLog) -> None:
    with case_log.write() as writer:
        site_id, lead_id = lead_on_site(writer)
        frontier.seed(writer, site_id=site_id, lead_id=lead_id, found=found(writer, "/a"))
        (row,) = pending(writer, site_id, lead_id)
        frontier.finish(writer, row)
        reopened = frontier.open_round(writer, lead_id)

        assert reopened == 1
        (again,) = pending(writer, site_id, lead_id)
        assert again.round == row.round + 1
        assert not frontier.finish(writer, row)


def test_no_address_lies_in_clear_in_the_frontier(case_log: CaseLog) -> None:
    from caselog import schema

    with case_log.write() as writer:
        site_id, lead_id = lead_on_site(writer)
        frontier.seed(writer, site_id=site_id, lead_id=lead_id, found=found(writer, "/rye-loaf"))
        rows = writer.connection.execute(schema.frontier.select()).all()

        assert rows
        assert all(b"rye" not in repr(tuple(row)).encode() for row in rows)
