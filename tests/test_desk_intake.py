"""Intake: bad rows come back with their reason, good rows go in, and twice is once."""

from __future__ import annotations

import csv
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.ledger import verify
from caselog.records.choices import InvalidTls
from caselog.records.leads import Lead, Report
from caselog.store.leads import LeadLimits
from desk.intake_formats import BadRow, Row
from desk.lead_row import DEFANGED, GoodRow, check_row, received_at
from tests.desk_calls import desk, password_of

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def judged(
    *, practice: bool = False, excluded: frozenset[str] = frozenset(), **fields: str
) -> GoodRow | BadRow:
    plain = {"url": "http://bread.example/", "report": "R1"}
    return check_row(
        Row(line=2, raw="raw", fields={**plain, **fields}), now=NOW, practice=practice, excluded=excluded
    )


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"url": "ftp://bread.example/"}, "scheme"),
        ({"url": "javascript:1"}, "scheme"),
        ({"url": "bread"}, "scheme"),
        ({"url": "http://user:secret@bread.example/"}, "userinfo"),
        ({"url": "http:///path"}, "no_host"),
        ({"url": "http://bread.example:99999/"}, "bad_port"),
        ({"url": "http://bread.example/" + "x" * 3000}, "too_long"),
        ({"url": "http://127.0.0.1/"}, "private_address"),
        ({"url": "http://0x7f000001/"}, "private_address"),
        ({"url": "http://[::1]/"}, "private_address"),
        ({"url": "http://10.0.0.1/"}, "private_address"),
        ({"url": "http://court.example:8080/"}, "excluded"),
        ({"url": "http://www.court.example/"}, "excluded"),
        ({"received_at": "yesterday"}, "received_at"),
        ({"path": "guide"}, "path"),
        ({"path": "/guide"}, "path"),
        ({"url": "http://bread.example/guides", "path": "/guide"}, "path"),
        ({"depth": "-1"}, "depth"),
        ({"pages": "0"}, "pages"),
        ({"pages": "1.5"}, "pages"),
        ({"pages": "١٢"}, "pages"),
        ({"seconds": "99999999999"}, "seconds"),
        ({"invalid_tls": "yes"}, "invalid_tls"),
        ({"received_at": "0001-01-01T00:00:00+14:00"}, "received_at"),
        ({"note": "also at http://rye.example/"}, "address_in_note"),
        ({"note": "also at rye.example"}, "address_in_note"),
        ({"note": "x" * 2001}, "too_long"),
        ({"report": "http://rye.example/"}, "address_in_field"),
        ({"category": "rye.example"}, "address_in_field"),
        ({"classification": "x" * 33}, "too_long"),
    ],
)
def test_a_bad_field_rejects_its_row(fields: dict[str, str], code: str) -> None:
    found = judged(excluded=frozenset({"court.example"}), **fields)

    assert isinstance(found, BadRow)
    assert found.code == code


def test_a_practice_workspace_takes_no_public_literal() -> None:
    found = judged(practice=True, url="http://192.0.2.1/")

    assert isinstance(found, BadRow)


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2026-04-30", datetime(2026, 4, 30, tzinfo=UTC)),
        ("2026-04-30T10:00:00", datetime(2026, 4, 30, 10, tzinfo=UTC)),
        ("2026-04-30T10:00:00+02:00", datetime(2026, 4, 30, 8, tzinfo=UTC)),
        ("2026-04-30T10:00:00Z", datetime(2026, 4, 30, 10, tzinfo=UTC)),
        ("2999-01-01", NOW),
        (None, None),
    ],
)
def test_a_stamp_becomes_utc_and_the_future_now(stamp: str | None, expected: datetime | None) -> None:
    assert received_at(stamp, NOW) == expected


@given(st.dictionaries(st.sampled_from(["url", "received_at", "note", "category"]), st.text(max_size=60)))
def test_no_field_crashes_the_judge(fields: dict[str, str]) -> None:
    assert isinstance(judged(**fields), GoodRow | BadRow)


HOSTILE = b"""\xef\xbb\xbfurl,report,received_at,confirmed_by,category,classification,note\r
http://127.0.0.1:8080/a,R1,2026-05-01,anna,guide,A1,"two
lines"\r
http://127.0.0.1:8080/a,R1,,,,,\r
http://127.0.0.1:8080/a,R2,,,,,\r
http://127.0.0.1:8080/\xff,R3,,,,,\r
http://127.0.0.1:8080/\x00,R4,,,,,\r
=cmd,R5,,,,,\r
http://10.0.0.1/,R6,,,,,\r
http://127.0.0.1:8080/c,R7\r
"http://127.0.0.1:8080/d,R8,,,,,\r
http://localhost:8080/b,R9,,,,,\r
"""


def test_a_hostile_file_loses_no_row(tmp_path: Path) -> None:
    work = desk(tmp_path)
    path = tmp_path / "leads.csv"
    path.write_bytes(HOSTILE + b"x" * 10_000_000)
    answer = work.run("leads", "add", str(path), "--confirm")
    rejected = tmp_path / "leads.csv.rejected.csv"
    with rejected.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    assert answer.code == 1
    assert [(row["line"], row["code"]) for row in rows] == [
        ("6", "encoding"),
        ("7", "nul"),
        ("8", "scheme"),
        ("9", "private_address"),
        ("10", "columns"),
        ("11", "quotes"),
        ("13", "too_long"),
    ]
    assert stat.S_IMODE(rejected.stat().st_mode) == 0o600
    assert rows[2]["row"].startswith("'=cmd")
    counts = {key: answer.last("summary")[key] for key in ("rows", "added", "joined", "known", "confirmed")}
    assert counts == {"rows": 11, "added": 2, "joined": 1, "known": 1, "confirmed": 2}


def test_a_defanged_address_goes_in_whole_and_says_so(tmp_path: Path) -> None:
    work = desk(tmp_path)
    (tmp_path / "leads.csv").write_text("url,report,note\nhxxp://127[.]0[.]0[.]1:9/rye,R1,from the post\n")

    answer = work.run("leads", "add", str(tmp_path / "leads.csv"))
    again = work.run("leads", "add", str(tmp_path / "leads.csv"))

    assert (answer.last("summary")["defanged"], again.last("summary")["added"]) == (1, 0)
    with work.open().log.read() as reader:
        (lead,) = reader.find(Lead)
        (report,) = reader.find(Report)
    assert lead.url == "http://127.0.0.1:9/rye"
    assert report.note == f"from the post {DEFANGED}"


def test_the_same_file_twice_adds_nothing(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads("http://127.0.0.1/a", "http://127.0.0.1/b")
    again = work.add_leads("http://127.0.0.1/a", "http://127.0.0.1/b")
    workspace = work.open()
    with workspace.log.read() as reader:
        counts = reader.count(Lead), reader.count(Report)
    verified = verify(workspace.log)
    workspace.log.close()

    assert again.code == 0
    assert counts == (2, 2)
    assert verified.unsealed == 0


def test_a_rejected_lead_is_not_confirmed_by_the_same_report_again(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads("http://127.0.0.1/a")
    work.run("leads", "reject", "1", "--outcome", "gone", "--reason", "gone")
    work.add_leads("http://127.0.0.1/a")

    assert work.run("leads", "list").rows[0]["state"] == "rejected"


def test_a_new_report_confirms_a_rejected_lead_again(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads("http://127.0.0.1/a")
    work.run("leads", "reject", "1", "--outcome", "gone", "--reason", "gone")
    work.run("leads", "add", "-", "--confirm", stdin="url,report\nhttp://127.0.0.1/a,R77\n")

    assert work.run("leads", "list").rows[0]["state"] == "confirmed"


def test_a_list_of_addresses_needs_its_source(tmp_path: Path) -> None:
    answer = desk(tmp_path).run("leads", "add", "-", "--format", "txt", stdin="http://127.0.0.1/\n")

    assert answer.code == 2


def test_a_list_of_addresses_goes_in_under_its_source(tmp_path: Path) -> None:
    work = desk(tmp_path)
    answer = work.run(
        "leads", "add", "-", "--format", "txt", "--source", "partner", stdin="http://127.0.0.1/\n"
    )

    assert answer.last("summary")["added"] == 1
    assert work.run("leads", "list").rows[0]["source"] == "partner"


def test_rejected_rows_of_standard_input_lie_in_the_workspace(tmp_path: Path) -> None:
    work = desk(tmp_path)
    answer = work.run("leads", "add", "-", stdin="address\nhttp://127.0.0.1/\n")

    assert answer.code == 1
    assert (work.folder / "rejected.csv").read_text().count(",columns,") == 2


def test_an_unwritable_rejected_file_stops_the_intake_before_rows_are_lost(tmp_path: Path) -> None:
    work = desk(tmp_path)
    path = tmp_path / "leads.csv"
    path.write_text("url,report\nhttp://127.0.0.1/,R1\nbad,R2\n")
    (tmp_path / "leads.csv.rejected.csv").mkdir()
    answer = work.run("leads", "add", str(path))

    assert answer.code == 2
    assert work.run("leads", "list").rows == []


@pytest.mark.parametrize("name", ["missing.csv", ""])
def test_a_file_that_cannot_be_read_is_wrong_use(tmp_path: Path, name: str) -> None:
    assert desk(tmp_path).run("leads", "add", str(tmp_path / name)).code == 2


def test_an_unknown_format_is_wrong_use(tmp_path: Path) -> None:
    assert desk(tmp_path).run("leads", "add", "-", "--format", "pdf").code == 2


def test_an_empty_file_adds_nothing_and_is_no_error(tmp_path: Path) -> None:
    assert desk(tmp_path).run("leads", "add", "-").code == 0


def test_live_intake_with_confirmation_asks_a_log_in(tmp_path: Path) -> None:
    work = desk(tmp_path, live=True)
    path = tmp_path / "leads.csv"
    path.write_text("url,report\nhttp://bread.example/,R1\n")

    assert work.run("leads", "add", str(path), "--confirm").code == 3
    assert work.run("leads", "add", str(path), "--confirm", stdin=password_of("ada") + "\n").code == 0


def test_rows_that_follow_a_password_on_standard_input_are_all_read(tmp_path: Path) -> None:
    work = desk(tmp_path, live=True)
    rows = "url,report\n" + "".join(f"http://bread.example/{at},R{at}\n" for at in range(50))
    answer = work.run("leads", "add", "-", "--confirm", stdin=f"{password_of('ada')}\n{rows}")

    assert answer.last("summary")["confirmed"] == 50


def test_addresses_and_notes_are_not_in_the_database_in_clear(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.run("leads", "add", "-", stdin="url,report,note\nhttp://rolls.test/poppy,R1,saffron buns\n")
    stored = b"".join(file.read_bytes() for file in work.folder.iterdir() if file.is_file())

    assert not any(word in stored for word in (b"rolls.test", b"poppy", b"saffron"))


def test_a_row_may_say_how_far_its_crawl_goes() -> None:
    found = judged(
        url="http://bread.example/Guide/a", path="/Guide", depth="2", pages="30", seconds="60",
        invalid_tls="Refuse",
    )  # fmt: skip

    assert isinstance(found, GoodRow)
    assert found.limits == LeadLimits(
        path_prefix="/Guide", depth=2, pages=30, seconds=60, invalid_tls=InvalidTls.REFUSE
    )


def test_the_limits_of_a_row_stand_on_its_lead(tmp_path: Path) -> None:
    work = desk(tmp_path)
    (tmp_path / "leads.csv").write_text("url,report,pages,invalid_tls\nhttp://bread.example/,R1,7,refuse\n")

    assert work.run("leads", "add", str(tmp_path / "leads.csv")).code == 0
    with work.open().log.read() as reader:
        (lead,) = reader.find(Lead)
    assert (lead.pages, lead.depth, lead.invalid_tls) == (7, None, InvalidTls.REFUSE)
