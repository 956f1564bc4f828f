"""A notice's number, its state, what holds it, and the second person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caselog.records.choices import DeliveryState, Subject, UserRole, Verdict
from caselog.records.ids import DecisionId, DeliveryId, EvidenceId, HostingId, NoticeId, ReleaseId, ReplyId
from caselog.records.notices import Delivery, Release, Reply
from caselog.records.people import Decision, User
from exports.notices import (
    NEVER_CLEARED,
    DraftSettings,
    Facts,
    Hold,
    HoldReason,
    NoticeState,
    compose,
    holds_of,
    may_leave,
    may_release,
    standing_holds,
    state_of,
    told,
)
from exports.recipients import Group
from exports.redact import Audience
from tests.exports_samples import NOON, NOTICE

GROUP = Group(
    recipient="Abuse@Ovens.example",
    role="host",
    reason="abuse role of the network",
    provider="Ovens",
    contact_source="rdap",
    approved=True,
    guessed=False,
    case_id=None,
    evidence_ids=(EvidenceId(3), EvidenceId(1)),
    hosting_ids=(HostingId(9),),
)
SETTINGS = DraftSettings(namespace=UUID(int=5), practice=False, ledger_root="d" * 64, ledger_size=3)
CLEAR = Facts(
    confirmed=frozenset({EvidenceId(31)}), classified=frozenset({EvidenceId(31)}), contact_approved=True
)


def _compose(group=GROUP, settings=SETTINGS, **changes):
    return compose(group, settings, **({"drafted_by": "ann", "now": NOON} | changes))


def _decision(verdict, number=1, hours=0, subject=Subject.NOTICE, subject_id=7):
    return Decision(
        id=DecisionId(number), subject=subject, subject_id=subject_id, verdict=verdict,
        decided_by="ann", os_user="ann", decided_at=NOON + timedelta(hours=hours),
    )  # fmt: skip


def _release(by="bob", hours=1, notice=7):
    return Release(
        id=ReleaseId(1), notice_id=NoticeId(notice), released_by=by, os_user="x",
        released_at=NOON + timedelta(hours=hours),
    )  # fmt: skip


def _delivery(state, number=1, notice=7):
    return Delivery(
        id=DeliveryId(number), notice_id=NoticeId(notice), attempt=number, state=state, channel="smtp",
        recorded_at=NOON + timedelta(hours=number),
    )  # fmt: skip


def _reply(kind, hours=9, notice=7):
    return Reply(
        id=ReplyId(1), notice_id=NoticeId(notice), kind=kind, headers_sha256="a", body_sha256="b",
        size_bytes=1,        received_at=NOON, recorded_at=NOON + timedelta(hours=hours),
    )  # fmt: skip


def test_a_second_draft_of_the_same_content_has_the_same_number():
    again = replace(GROUP, evidence_ids=(EvidenceId(1), EvidenceId(3)), recipient="abuse@ovens.example")
    later = _compose(again, replace(SETTINGS, ledger_size=99), drafted_by="bob", now=NOON + timedelta(days=1))

    assert _compose().uuid == later.uuid
    assert UUID(later.uuid).version == 5


@pytest.mark.parametrize(
    ("group", "settings"),
    [
        (replace(GROUP, recipient="other@ovens.example"), SETTINGS),
        (replace(GROUP, role="proxy"), SETTINGS),
        (replace(GROUP, evidence_ids=(EvidenceId(1),)), SETTINGS),
        (replace(GROUP, case_id=4), SETTINGS),
        (GROUP, replace(SETTINGS, practice=True)),
        (GROUP, replace(SETTINGS, tlp="RED")),
        (GROUP, replace(SETTINGS, language="de")),
        (GROUP, replace(SETTINGS, profile="us")),
        (GROUP, replace(SETTINGS, namespace=UUID(int=6))),
    ],
)
def test_other_content_has_another_number(group, settings):
    assert _compose(group, settings).uuid != _compose().uuid


def test_a_notice_that_follows_another_has_its_own_number():
    first = replace(_compose(), id=NoticeId(4))
    second = _compose(previous=first)

    assert (second.revision, second.previous_id) == (2, 4)
    assert second.uuid != first.uuid


def test_what_is_on_a_live_notice_is_known_by_contact():
    other = replace(NOTICE, evidence_ids=(32,), recipient=NOTICE.recipient.upper())
    closed = replace(NOTICE, evidence_ids=(33,))
    listed = [(NOTICE, NoticeState.BOUNCED), (other, NoticeState.DRAFT), (closed, NoticeState.CLOSED)]

    assert told(listed) == {NOTICE.recipient: frozenset({31, 32})}


@pytest.mark.parametrize(
    ("facts", "hold"),
    [
        ({"confirmed": frozenset()}, Hold(reason=HoldReason.EVIDENCE_UNCONFIRMED, about=(31,))),
        ({"classified": frozenset()}, Hold(reason=HoldReason.CLASSIFICATION_MISSING, about=(31,))),
        ({"authority_missing": ("contact",)}, Hold(reason=HoldReason.AUTHORITY_MISSING, about=("contact",))),
        ({"contact_approved": False}, Hold(reason=HoldReason.UNKNOWN_CONTACT)),
        ({"provider_marked": True}, Hold(reason=HoldReason.MARKED_PROVIDER)),
        ({"referral_accepted": True}, Hold(reason=HoldReason.REFERRED)),
        ({"police_needed": True}, Hold(reason=HoldReason.POLICE_CLEARANCE)),
    ],
)
def test_a_notice_is_held_with_the_reason(facts, hold):
    holds = holds_of(NOTICE, replace(CLEAR, **facts))

    assert holds == (hold,)
    assert state_of(NOTICE, holds=holds, releases=[_release()]) is NoticeState.HELD


def test_nothing_holds_a_notice_that_has_all():
    assert holds_of(NOTICE, replace(CLEAR, police_needed=True, police_cleared=True)) == ()
    assert holds_of(NOTICE, replace(CLEAR, contact_approved=False, hold_unknown=False)) == ()


def test_a_guessed_contact_is_held_whatever_the_settings_say():
    guessed = replace(NOTICE, contact_guessed=True)

    assert holds_of(guessed, replace(CLEAR, contact_approved=False, hold_unknown=False)) == (
        Hold(reason=HoldReason.GUESSED_CONTACT),
    )
    assert holds_of(guessed, CLEAR) == ()


@pytest.mark.parametrize("reason", HoldReason)
def test_a_clear_lifts_what_a_person_may_judge_and_nothing_else(reason):
    left = standing_holds([Hold(reason=reason)], [_decision(Verdict.CLEARED)], NOTICE)

    assert bool(left) == (reason in NEVER_CLEARED)


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ({}, "draft"),
        ({"decisions": [_decision(Verdict.HELD)]}, "held"),
        ({"decisions": [_decision(Verdict.HELD), _decision(Verdict.CLEARED, 2)]}, "cleared"),
        ({"decisions": [_decision(Verdict.CLEARED), _decision(Verdict.HELD, 2)]}, "held"),
        ({"decisions": [_decision(Verdict.HELD, subject_id=8)]}, "draft"),
        ({"decisions": [_decision(Verdict.HELD, subject=Subject.LEAD)]}, "draft"),
        ({"decisions": [_decision(Verdict.CLOSED)], "releases": [_release()]}, "closed"),
        ({"releases": [_release()]}, "released"),
        ({"releases": [_release(by="Canary-Analyst ")]}, "draft"),
        ({"releases": [_release(notice=8)]}, "draft"),
        ({"releases": [_release()], "decisions": [_decision(Verdict.HELD, hours=2)]}, "held"),
        (
            {
                "releases": [_release()],
                "decisions": [_decision(Verdict.HELD, hours=2), _decision(Verdict.CLEARED, 2, hours=3)],
            },
            "cleared",
        ),
        ({"deliveries": [_delivery(DeliveryState.HANDED_OVER)]}, "sending"),
        ({"deliveries": [_delivery(DeliveryState.UNCERTAIN)]}, "uncertain"),
        ({"deliveries": [_delivery(DeliveryState.ACCEPTED)]}, "delivered"),
        ({"deliveries": [_delivery(DeliveryState.BOUNCED)]}, "bounced"),
        (
            {"deliveries": [_delivery(DeliveryState.ACCEPTED, 2), _delivery(DeliveryState.BOUNCED)]},
            "delivered",
        ),
        ({"deliveries": [_delivery(DeliveryState.ACCEPTED, notice=8)]}, "draft"),
        (
            {"deliveries": [_delivery(DeliveryState.ACCEPTED)], "replies": [_reply("removed_claim")]},
            "answered",
        ),
        ({"deliveries": [_delivery(DeliveryState.ACCEPTED)], "replies": [_reply("bounced")]}, "bounced"),
        (
            {"deliveries": [_delivery(DeliveryState.ACCEPTED)], "replies": [_reply("bounced", hours=0)]},
            "delivered",
        ),
        (
            {"deliveries": [_delivery(DeliveryState.ACCEPTED)], "replies": [_reply("other", notice=8)]},
            "delivered",
        ),
    ],
)
def test_the_state_follows_from_the_records(records, state):
    assert state_of(NOTICE, **records).value == state


def test_what_is_out_is_not_called_held_afterwards():
    records = {"releases": [_release()], "deliveries": [_delivery(DeliveryState.ACCEPTED)]}

    assert state_of(NOTICE, **records, holds=[Hold(reason=HoldReason.REFERRED)]) is NoticeState.DELIVERED


def _user(name="bob", role=UserRole.OFFICER, active=True):
    return User(name=name, role=role, active=active, added_by="x", added_at=NOON)


@pytest.mark.parametrize(
    ("user", "state", "refusal"),
    [
        (_user("canary-analyst"), NoticeState.DRAFT, "own_draft"),
        (_user("Canary-ANALYST"), NoticeState.DRAFT, "own_draft"),
        (_user(" canary-analyst "), NoticeState.CLEARED, "own_draft"),
        (_user("\uff43anary-analyst"), NoticeState.CLEARED, "own_draft"),
        (_user("canary-analyst", UserRole.SUPERVISOR), NoticeState.DRAFT, "own_draft"),
        (_user(role=UserRole.ANALYST), NoticeState.DRAFT, "role"),
        (_user(role=UserRole.AUDITOR), NoticeState.DRAFT, "role"),
        (_user(active=False), NoticeState.DRAFT, "inactive"),
        (_user(), NoticeState.HELD, "held"),
        (_user(), NoticeState.RELEASED, "not_open"),
        (_user(), NoticeState.DELIVERED, "not_open"),
        (_user(), NoticeState.CLOSED, "not_open"),
        (_user(), NoticeState.DRAFT, None),
        (_user(role=UserRole.SUPERVISOR), NoticeState.CLEARED, None),
    ],
)
def test_a_second_person_releases(user, state, refusal):
    assert may_release(NOTICE, user, state) == refusal


@given(st.text(min_size=1, max_size=64))
def test_nobody_releases_what_they_drafted_however_the_name_is_written(name):
    notice = replace(NOTICE, drafted_by=name)

    for spelling in (name, name.upper(), name.casefold(), f" {name}"):
        if spelling.casefold().strip() == name.casefold().strip():
            assert may_release(notice, _user(spelling), NoticeState.DRAFT) == "own_draft"


@pytest.mark.parametrize("state", NoticeState)
def test_a_host_is_told_only_what_was_released(state):
    assert may_leave(state, Audience.HOST) == (state.value not in {"draft", "held", "cleared"})
    assert may_leave(state, Audience.POLICE)
