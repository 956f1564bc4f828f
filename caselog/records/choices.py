"""The closed choices in records."""

from __future__ import annotations

from enum import StrEnum


class Origin(StrEnum):
    """Where a lead comes from."""

    REPORTED = "reported"
    DISCOVERED = "discovered"


class InvalidTls(StrEnum):
    """What to do with pages behind a certificate that fails."""

    READ = "read"
    REFUSE = "refuse"


class Subject(StrEnum):
    """What a decision or a reveal is about."""

    LEAD = "lead"
    EVIDENCE = "evidence"
    CHECK = "check"
    NOTICE = "notice"
    CONTACT = "contact"
    SITE = "site"
    PAGE = "page"
    HOSTING = "hosting"
    PROPOSAL = "proposal"
    RULE = "rule"
    WORKSPACE = "workspace"


class Verdict(StrEnum):
    """What a person decided; the outcomes of a rejected lead are those of the contract."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    CLOSED = "closed"
    NOT_ILLEGAL = "not_illegal"
    GONE = "gone"
    WALLED = "walled"
    DUPLICATE = "duplicate"
    OUT_OF_REMIT = "out_of_remit"
    INSUFFICIENT = "insufficient"
    REFERRED = "referred"
    REMOVED = "removed"
    EDITED = "edited"
    MOVED = "moved"
    LIVE = "live"
    HELD = "held"
    CLEARED = "cleared"
    APPROVED = "approved"
    BLOCKED = "blocked"
    EXCLUDED = "excluded"
    INCLUDED = "included"
    STOPPED = "stopped"
    EXPORTED = "exported"


class CaseAction(StrEnum):
    """One change of a case."""

    JOINED = "joined"
    LEFT = "left"
    ASSIGNED = "assigned"
    MERGED = "merged"
    SPLIT = "split"
    NOTED = "noted"


class Outcome(StrEnum):
    """What one fetch brought."""

    TEXT = "text"
    ALIAS = "alias"
    WALL = "wall"
    GONE = "gone"
    REFUSED = "refused"
    ERROR = "error"
    EMPTY = "empty"


class Role(StrEnum):
    """What a page is on its site, as far as the crawl could tell."""

    INDEX = "index"
    THREAD = "thread"
    ENTRY = "entry"
    PROFILE = "profile"
    WALL = "wall"
    OTHER = "other"


class Level(StrEnum):
    """How strongly a page matches what is stored; `RULE` stands for the operator's own terms."""

    LEAD = "lead"
    STRONG = "strong"
    RULE = "rule"


class CountryLevel(StrEnum):
    """How far the sources of a hosting country agree."""

    AGREED = "agreed"
    MAJORITY = "majority"
    SINGLE = "single"
    DISPUTED = "disputed"
    UNKNOWN = "unknown"


class Signal(StrEnum):
    """What one look at a page under notice said."""

    PRESENT = "PRESENT"
    GONE_PAGE = "GONE_PAGE"
    GONE_SOFT = "GONE_SOFT"
    UNIFORM = "UNIFORM"
    GONE_DNS = "GONE_DNS"
    DNS_GONE_HOST_ALIVE = "DNS_GONE_HOST_ALIVE"
    BLOCKED = "BLOCKED"
    UNREACH = "UNREACH"
    TRANSIENT = "TRANSIENT"
    CHANGED = "CHANGED"


class Presence(StrEnum):
    """The state of an evidence item over all its checks."""

    LIVE = "LIVE"
    SUSPECT = "SUSPECT"
    REMOVED_PROVISIONAL = "REMOVED_PROVISIONAL"
    REMOVED_CONFIRMED = "REMOVED_CONFIRMED"
    CLOSED = "CLOSED"
    BLOCKED = "BLOCKED"
    REVIEW = "REVIEW"
    UNREACHABLE = "UNREACHABLE"
    SOURCE_ALIVE = "SOURCE_ALIVE"
    REAPPEARED = "REAPPEARED"


class DeliveryState(StrEnum):
    """How far a notice came on its way."""

    HANDED_OVER = "handed_over"
    ACCEPTED = "accepted"
    BOUNCED = "bounced"
    UNCERTAIN = "uncertain"


class UserRole(StrEnum):
    """What a person may do."""

    ANALYST = "analyst"
    OFFICER = "officer"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"
