"""Every kind of record, in the order in which their tables refer to each other."""

from __future__ import annotations

from typing import Any

from caselog.records.hosting import Hosting, Query
from caselog.records.leads import Case, CaseChange, Lead, Proposal, Referral, Report
from caselog.records.notices import Delivery, Notice, Release, Reply
from caselog.records.pages import Check, Evidence, Page, Rule
from caselog.records.people import Decision, Reveal, User

RECORDS: tuple[type[Any], ...] = (
    User,
    Lead,
    Report,
    Proposal,
    Decision,
    Case,
    CaseChange,
    Rule,
    Page,
    Evidence,
    Hosting,
    Referral,
    Notice,
    Release,
    Delivery,
    Reply,
    Check,
    Reveal,
    Query,
)
