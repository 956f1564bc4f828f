"""Notices from draft to file, through the command line of a practice workspace."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from caselog.records.choices import CountryLevel, Presence, Signal
from caselog.records.hosting import Hosting
from caselog.records.leads import Lead, Referral
from caselog.records.notices import Notice
from caselog.records.pages import Check
from desk.commands.notices import WHY_LEFT
from tests.caselog_samples import NOW, evidence, page
from tests.desk_calls import Desk, desk, password_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ABUSE = "abuse@ovenhost.test"
URL = "http://bread.example/sourdough"
OTHER = "http://rye.example/starter"


def contact(address: str = ABUSE, **more: Any) -> dict[str, Any]:
    plain = {"role": "abuse", "source": "https://rdap.test/ip/203.0.113.7", "rank": 1, "why": "abuse role"}
    return {"address": address, "guessed": False, **plain, **more}


def record(work: Desk, *pages: str, contacts: Iterable[dict[str, Any]] | None = None, **facts: Any) -> None:
    """Give each lead a page, evidence and a look-up; further `pages` go to the first lead's site."""
    workspace = work.open()
    with workspace.log.write() as writer:
        leads = writer.find(Lead)
        for lead in leads:
            add_evidence(writer, lead, lead.url)
            rows = [contact()] if contacts is None else list(contacts)
            writer.append(hosting(lead.host, contacts=tuple(rows), lead_id=lead.id, **facts))
        for url in pages:
            add_evidence(writer, leads[0], url)
    workspace.log.close()


def add_evidence(writer: Any, lead: Lead, url: str) -> int:
    seen = writer.append(page(lead, url=url, peer_ip="127.0.0.5", peer_port=8443))
    return writer.append(evidence(seen)).id


def hosting(host: str, **facts: Any) -> Hosting:
    plain = {"mode": "registries", "addresses": ("203.0.113.7",), "holder": "Oven Host", "resolved_at": NOW}
    return Hosting(host=host, **{**plain, **facts})


@pytest.fixture
def work(tmp_path: Path) -> Desk:
    made = desk(tmp_path)
    made.add_leads(URL)
    return made


def approve(work: Desk, address: str = ABUSE) -> None:
    assert work.run("contacts", "approve", address, "--reason", "looked up").code == 0


def drafted(work: Desk, **keywords: Any) -> Desk:
    record(work, **keywords)
    approve(work)
    assert work.run("notices", "draft").code == 0
    return work


def test_the_drafter_cannot_release(work: Desk) -> None:
    record(work)
    approve(work)
    work.run("notices", "draft", user="ben")

    answer = work.run("notices", "release", "1", user="ben")

    assert (answer.code, answer.lines[0]["error"]["kind"]) == (3, "refused")
    assert work.run("notices", "release", "1", user="cai").code == 0


def test_an_analyst_cannot_release(work: Desk) -> None:
    drafted(work)

    assert work.run("notices", "release", "1", user="ada").code == 3


def test_a_draft_with_unconfirmed_evidence_is_refused_by_its_numbers(work: Desk) -> None:
    record(work, "http://bread.example/rolls", "http://bread.example/buns")
    approve(work)
    draft = work.run("notices", "draft")

    answer = work.run("notices", "release", "1", user="ben")

    assert draft.last("summary") == {
        "notices": 1,
        "items": 3,
        "held": 1,
        "referred": 0,
        "without_contact": 0,
        "waiting": 0,
    }
    assert answer.code == 3
    assert "unconfirmed evidence: 2, 3." in answer.lines[0]["error"]["message"]
    assert work.run("notices", "list").rows[0]["holds"] == ["evidence_unconfirmed (2, 3)"]


def test_confirmed_evidence_lets_the_notice_go(work: Desk) -> None:
    record(work, "http://bread.example/rolls")
    approve(work)
    work.run("notices", "draft")
    work.run("evidence", "confirm", "2", "--reason", "assessed")

    answer = work.run("notices", "release", "--all", user="ben")

    assert (answer.code, answer.last("summary")["released"]) == (0, 1)
    row = work.run("notices", "list").rows[0]
    assert (row["state"], row["released_by"], row["items"]) == ("released", "ben", [1, 2])


def test_drafting_twice_adds_nothing(work: Desk) -> None:
    drafted(work)

    answer = work.run("notices", "draft")

    assert answer.last("summary")["notices"] == 0
    assert len(work.run("notices", "list").rows) == 1


def test_two_hosts_of_one_provider_make_one_notice(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads(URL, OTHER)
    drafted(work)

    rows = work.run("notices", "list").rows

    assert [(row["recipient"], row["items"], row["case"]) for row in rows] == [(ABUSE, [1, 2], None)]


def test_rejected_evidence_and_closed_leads_are_left_out(tmp_path: Path) -> None:
    work = desk(tmp_path)
    work.add_leads(URL, OTHER)
    record(work)
    work.run("evidence", "reject", "1", "--reason", "a news article")
    work.run("leads", "close", "2", "--reason", "done")

    assert work.run("notices", "draft").last("summary")["notices"] == 0


def test_an_unknown_contact_holds_until_approved(work: Desk) -> None:
    record(work)
    work.run("notices", "draft")

    answer = work.run("notices", "release", "1", user="ben")

    assert (answer.code, work.run("notices", "list").rows[0]["holds"]) == (3, ["unknown_contact"])
    approve(work)
    assert work.run("notices", "release", "1", user="ben").code == 0


def test_a_blocked_contact_gets_no_draft(work: Desk) -> None:
    record(work)
    work.run("contacts", "block", ABUSE, "--reason", "forwards to the customer")

    answer = work.run("notices", "draft")

    assert {key: answer.last("summary")[key] for key in ("notices", "without_contact")} == {
        "notices": 0,
        "without_contact": 1,
    }
    assert WHY_LEFT["blocked_contact"] in answer.err


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"contacts": ()}, "no_contact"),
        ({"contacts": (), "rejected_contacts": (contact("hostmaster@registry.test"),)}, "only_rejected"),
        ({"contacts": (contact("https://ovenhost.test/form"),)}, "form_only"),
    ],
)
def test_an_item_without_a_contact_is_told_with_its_reason(
    work: Desk, facts: dict[str, Any], reason: str
) -> None:
    record(work, **facts)

    answer = work.run("notices", "draft")

    assert (answer.last("summary")["notices"], answer.last("summary")["without_contact"]) == (0, 1)
    assert f"No notice yet for evidence 1: {WHY_LEFT[reason]}." in answer.err
    assert "example" not in answer.err


def test_a_rejected_mailbox_is_never_written_to(work: Desk) -> None:
    record(work, contacts=[contact(), contact("b@ovenhost.test", rank=2)], rejected_contacts=(contact(),))
    work.run("notices", "draft")

    assert [row["recipient"] for row in work.run("notices", "list").rows] == ["b@ovenhost.test"]


def test_a_required_preserver_must_be_named(work: Desk) -> None:
    drafted(work)
    (work.folder / "leadline.toml").write_text('[notices]\npreservation = "require"\n')

    assert work.run("notices", "release", "1", user="ben").code == 3
    assert work.run("notices", "release", "1", "--preserved-by", "State police", user="ben").code == 0


def test_an_address_is_no_preserver(work: Desk) -> None:
    drafted(work)

    assert work.run("notices", "release", "1", "--preserved-by", URL, user="ben").code == 2


def test_a_held_notice_is_released_once_it_is_cleared(work: Desk) -> None:
    drafted(work)
    work.run("notices", "hold", "1", "--reason", "asked to wait")

    assert work.run("notices", "release", "1", user="ben").code == 3
    assert work.run("notices", "clear", "1", "--reason", "may go").code == 0
    assert work.run("notices", "list").rows[0]["state"] == "cleared"
    assert work.run("notices", "release", "1", user="ben").code == 0


def test_a_closed_draft_may_be_drafted_anew_as_the_next_revision(work: Desk) -> None:
    drafted(work)
    work.run("notices", "close", "1", "--reason", "a mistake")

    assert work.run("notices", "draft").last("summary")["notices"] == 1
    workspace = work.open()
    with workspace.log.read() as reader:
        second = reader.get(Notice, 2)
    workspace.log.close()
    assert (second.revision, second.previous_id) == (2, 1)


def test_a_notice_that_went_out_stays_told_when_it_is_closed(work: Desk) -> None:
    drafted(work)
    work.run("notices", "release", "1", user="ben")
    work.run("notices", "close", "1", "--reason", "the host refused")

    assert work.run("notices", "draft").last("summary")["notices"] == 0


def test_hosts_are_told_released_notices_only(work: Desk, tmp_path: Path) -> None:
    drafted(work)

    answer = work.run("notices", "export", "--to", str(tmp_path / "out"), user="ben")

    assert (answer.code, answer.last("summary")["notices"]) == (0, 0)
    assert work.run("notices", "export", "1", "--to", str(tmp_path / "out"), user="ben").code == 1
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("mail", ["notice-1.eml"]),
        ("csv", ["notice-1.csv"]),
        ("jsonl", ["notice-1.jsonl"]),
        ("xarf", ["notice-1-xarf-1.json"]),
    ],
)
def test_a_released_notice_is_exported_under_a_neutral_name(
    work: Desk, tmp_path: Path, form: str, names: list[str]
) -> None:
    drafted(work)
    work.run("notices", "release", "1", user="ben")

    answer = work.run("notices", "export", "--to", str(tmp_path / "out"), "--format", form, user="ben")

    assert (0, names) == (answer.code, [path.name for path in (tmp_path / "out").iterdir()])
    content = (tmp_path / "out" / names[0]).read_text(encoding="utf-8")
    if form != "mail":
        assert content.count(URL) == 1
    assert "PRACTICE" in content or '"practice":true' in content


def test_a_cert_is_told_no_address(work: Desk, tmp_path: Path) -> None:
    drafted(work)
    out = str(tmp_path / "out")

    work.run("notices", "export", "--to", out, "--format", "csv", "--audience", "cert", user="ben")

    content = (tmp_path / "out" / "notice-1.csv").read_text(encoding="utf-8")
    assert ("bread.example" in content, URL in content) == (True, False)


def test_other_audiences_are_told_no_unconfirmed_evidence(work: Desk, tmp_path: Path) -> None:
    record(work, "http://bread.example/rolls")
    work.run("notices", "draft")
    out = str(tmp_path / "out")

    answer = work.run("notices", "export", "--to", out, "--audience", "hotline", user="ben")

    assert answer.last("summary")["notices"] == 0


def test_the_letter_is_defanged_unless_revealed(work: Desk) -> None:
    drafted(work)

    hidden = work.run("notices", "show", "1").rows[0]["text"]
    shown = work.run("notices", "show", "1", "--reveal", "--reason", "last look").rows[0]["text"]

    assert (URL in hidden, URL in shown) == (False, True)
    assert "hxxp://bread[.]example/sourdough" in hidden


def test_the_newest_look_up_counts(work: Desk) -> None:
    record(work)
    workspace = work.open()
    with workspace.log.write() as writer:
        writer.append(replace(hosting("bread.example"), contacts=(contact("abuse@second.test"),)))
    workspace.log.close()
    work.run("notices", "draft")

    assert [row["recipient"] for row in work.run("notices", "list").rows] == ["abuse@second.test"]


def test_a_notice_to_whom_hosts_it_no_longer_is_refused(work: Desk) -> None:
    drafted(work)
    workspace = work.open()
    with workspace.log.write() as writer:
        writer.append(hosting("bread.example", contacts=(contact("abuse@second.test"),)))
    workspace.log.close()

    answer = work.run("notices", "release", "1", user="ben")

    assert answer.code == 3
    assert "hosted elsewhere by now: 1." in answer.lines[0]["error"]["message"]


def test_evidence_that_was_removed_meanwhile_stops_the_release(work: Desk) -> None:
    drafted(work)
    checked(work, state=Presence.REMOVED_PROVISIONAL, signal=Signal.GONE_PAGE)

    answer = work.run("notices", "release", "1", user="ben")

    assert answer.code == 3
    assert "removed, rejected or closed by now: 1." in answer.lines[0]["error"]["message"]


def test_removed_evidence_gets_no_draft(work: Desk) -> None:
    record(work)
    checked(work, state=Presence.REMOVED_CONFIRMED, signal=Signal.GONE_PAGE)

    assert work.run("notices", "draft").last("summary")["notices"] == 0


def test_what_reappeared_after_its_notice_was_closed_is_drafted_anew(work: Desk) -> None:
    drafted(work)
    work.run("notices", "release", "1", user="ben")
    work.run("notices", "close", "1", "--reason", "removed")
    checked(work, state=Presence.REAPPEARED, signal=Signal.PRESENT)

    assert work.run("notices", "draft").last("summary")["notices"] == 1
    assert work.run("notices", "draft").last("summary")["notices"] == 0


def test_the_last_look_dates_the_item(work: Desk, tmp_path: Path) -> None:
    drafted(work)
    seen_at = NOW + timedelta(hours=6)
    checked(work, state=Presence.LIVE, signal=Signal.PRESENT, last_present=seen_at)
    work.run("notices", "release", "1", user="ben")
    work.run("notices", "export", "--to", str(tmp_path / "out"), "--format", "jsonl", user="ben")

    item = json.loads((tmp_path / "out" / "notice-1.jsonl").read_text(encoding="utf-8"))
    assert (item["first_confirmed_at"], item["last_present_at"]) == (
        "2026-11-23T10:00:00Z",
        "2026-11-23T16:00:00Z",
    )


def checked(work: Desk, **facts: Any) -> None:
    workspace = work.open()
    with workspace.log.write() as writer:
        writer.append(Check(evidence_id=1, lead_id=1, vantage="own", checked_at=NOW, **facts))
    workspace.log.close()


@pytest.mark.parametrize(
    ("abroad", "counts", "said"),
    [("refer", (0, 1), "refer it (no route is known)"), ("both", (1, 1), "refer it"), ("notify", (1, 0), "")],
)
def test_a_host_abroad_is_referred_as_the_settings_say(
    work: Desk, abroad: str, counts: tuple[int, int], said: str
) -> None:
    text = f'[authority]\ncountry = "DE"\n[notices]\nabroad = "{abroad}"\n'
    (work.folder / "leadline.toml").write_text(text)
    record(work, country="FI", country_level=CountryLevel.AGREED)

    answer = work.run("notices", "draft")

    summary = answer.last("summary")
    assert (summary["notices"], summary["referred"]) == counts
    assert said in answer.err


@pytest.mark.parametrize("level", [CountryLevel.SINGLE, CountryLevel.DISPUTED, CountryLevel.UNKNOWN])
def test_an_uncertain_country_refers_nothing(work: Desk, level: CountryLevel) -> None:
    (work.folder / "leadline.toml").write_text('[authority]\ncountry = "DE"\n')
    record(work, country="FI", country_level=level)

    assert work.run("notices", "draft").last("summary")["notices"] == 1


def test_a_mailbox_on_a_proxied_site_is_the_proxys_and_the_registrar_is_told_too(work: Desk) -> None:
    row = contact(source="providers", why="verified row of the provider table (proxy)")
    record(work, contacts=[row], proxied=True, proxy="Cellar", registrar_contact="abuse@names.test")
    work.run("notices", "draft")

    rows = work.run("notices", "list").rows
    assert [(row["recipient"], row["role"]) for row in rows] == [
        (ABUSE, "proxy"),
        ("abuse@names.test", "registrar"),
    ]


def test_police_clearance_holds_until_a_person_clears(work: Desk) -> None:
    (work.folder / "leadline.toml").write_text("[notices]\npolice_clearance = true\n")
    drafted(work)

    assert work.run("notices", "release", "1", user="ben").code == 3
    work.run("notices", "clear", "1", "--reason", "the police agreed by telephone")
    assert work.run("notices", "release", "1", user="ben").code == 0


def test_an_acknowledged_referral_holds_our_notice(work: Desk) -> None:
    drafted(work)
    workspace = work.open()
    with workspace.log.write() as writer:
        plain = {"lead_id": 1, "receiver": "Finnish hotline", "kind": "hotline", "recorded_by": "ada"}
        first = writer.append(Referral(status="sent", recorded_at=NOW, **plain))
        writer.append(Referral(status="acknowledged", first_id=first.id, recorded_at=NOW, **plain))
    workspace.log.close()

    assert work.run("notices", "list").rows[0]["holds"] == ["referred"]


def test_a_live_workspace_asks_a_log_in_for_a_release(tmp_path: Path) -> None:
    work = desk(tmp_path, live=True)

    assert work.run("notices", "release", "--all", user="ben", stdin="wrong\n").code == 3
    assert work.run("notices", "release", "--all", user="ben", stdin=password_of("ben")).code == 0


def test_an_unknown_notice_is_an_error_of_its_own(work: Desk) -> None:
    assert work.run("notices", "release", "7", user="ben").code == 1
    assert work.run("notices", "list", "7").code == 1
    assert work.run("notices", "release", user="ben").code == 2


def test_no_output_and_no_file_name_holds_a_host(work: Desk, tmp_path: Path) -> None:
    record(work)
    approve(work)
    out = str(tmp_path / "out")
    steps = [("draft",), ("list",), ("show", "1"), ("release", "1"), ("export", "--to", out)]
    answers = [work.run("-v", "notices", *step, user="ben") for step in steps[:3]]
    answers += [work.run("-v", "notices", *step, user="cai") for step in steps[3:]]

    assert [answer.code for answer in answers] == [0] * 5
    assert not [answer for answer in answers if "bread.example" in answer.out + answer.err]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["notice-1.eml"]


def test_a_new_contact_is_told_of_five_addresses_and_the_rest_waits(work: Desk) -> None:
    record(work, *(f"http://bread.example/loaf-{at}" for at in range(6)))

    first = work.run("notices", "draft").last("summary")
    approve(work)
    second = work.run("notices", "draft").last("summary")

    assert (first["items"], first["waiting"]) == (5, 2)
    assert (second["items"], second["waiting"]) == (2, 0)
