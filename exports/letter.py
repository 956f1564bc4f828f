"""The notice as plain-text mail, with the items as a CSV part and a XARF part for each address.

Wording lies in `templates/`, one file a language; the English one is the master that others follow.
"""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from caselog.errors import ConfigError, RefusedError
from exports.addresses import checked_mailbox, mail_domain
from exports.recipients import MOST_ITEMS
from exports.redact import Audience, Datum, may_know
from exports.table import table_bytes
from exports.wording import PRACTICE_MARK, established_country, stamp
from exports.xarf_report import XarfRefusal, xarf_batch, xarf_bytes

if TYPE_CHECKING:
    from exports.redact import Cut, Heading

TEMPLATES = Path(__file__).parent / "templates"
FALLBACK_LANGUAGE = "en"


def compose_mail(cut: Cut) -> tuple[EmailMessage, tuple[XarfRefusal, ...]]:
    """Return the mail, and the items that go without a XARF part.

    The Message-ID follows from the notice's number and the sender's domain, the parts are divided by a fixed
    line: a second rendering has the same bytes.

    Raises:
        RefusedError: There is no mail for this audience (`audience`), nothing or too much to send (`items`),
            or an address or header is unfit (`mailbox`, `header`).
        ConfigError: A template is broken.
    """
    _refuse_count(cut)
    message = EmailMessage(policy=SMTP)
    body = letter_text(cut)
    _set_headers(message, cut)
    message.set_content(body, cte="quoted-printable")
    name = f"notice-{cut.heading.number}"
    message.add_attachment(
        table_bytes(cut), maintype="text", subtype="csv", filename=f"{name}.csv", params={"charset": "utf-8"}
    )
    refused = _attach_xarf(message, cut, name)
    # "=_" cannot occur in either encoding that the parts have, so the divider needs no search.
    message.set_boundary(f"=_{cut.heading.uuid}")
    return message, refused


def mail_bytes(cut: Cut) -> bytes:
    """Return the mail as it goes over the wire; lines end in CR LF.

    Raises:
        RefusedError: As `compose_mail`.
        ConfigError: As `compose_mail`.
    """
    return compose_mail(cut)[0].as_bytes()


def message_id(heading: Heading) -> str:
    """Return the Message-ID, which is the same for every rendering of a notice."""
    return f"<{heading.uuid}@{mail_domain(heading.sender)}>"


def _copy_id(cut: Cut) -> str:
    """Return the Message-ID of a copy for another audience, which must not be taken for the notice."""
    return f"<{cut.audience}.{cut.heading.uuid}@{mail_domain(cut.heading.sender)}>"


def letter_text(cut: Cut, templates: Path = TEMPLATES) -> str:
    """Return the body of the mail in the notice's language, or in English where that is not written.

    Raises:
        RefusedError: There is no letter to the public (`audience`).
        ConfigError: The template is broken, asks for a fact that there is not, or reaches behind the facts.
    """
    if cut.audience is Audience.PUBLIC:
        raise RefusedError("There is no letter to the public.", "Export figures instead.", code="audience")
    try:
        template = _environment(templates).get_template(
            f"{written_language(cut.heading.language, templates)}.txt"
        )
        return template.render(
            heading=cut.heading,
            authority=cut.heading.authority,
            items=cut.items,
            audience=cut.audience.value,
            practice_mark=PRACTICE_MARK,
            established_country=established_country,
        )
    except TemplateError as error:
        raise ConfigError(
            f"The template of a notice is broken: {type(error).__name__}.", "Mend the template."
        ) from None


@cache
def _environment(templates: Path) -> SandboxedEnvironment:
    """Return what renders the letters in a folder; it keeps them compiled, and reads a changed one again."""
    # The body is text/plain: escaping would change addresses, and nothing reads it as HTML.
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(templates),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["stamp"] = stamp
    return environment


def written_language(wanted: str, templates: Path = TEMPLATES) -> str:
    """Return the language that is written and nearest to `wanted`: `de-AT`, else `de`, else English."""
    written = {path.stem for path in templates.glob("*.txt")}
    tag = wanted.replace("_", "-").lower()
    return next((one for one in (tag, tag.partition("-")[0]) if one in written), FALLBACK_LANGUAGE)


def _refuse_count(cut: Cut) -> None:
    if not 1 <= len(cut.items) <= MOST_ITEMS:
        raise RefusedError(
            f"A notice holds 1 to {MOST_ITEMS} items, this one {len(cut.items)}.",
            "Draft the notices again.",
            code="items",
        )


def _set_headers(message: EmailMessage, cut: Cut) -> None:
    heading = cut.heading
    sender = checked_mailbox(heading.sender, "sender")
    headers = {
        "Subject": f"[{heading.case_reference}] TLP:{heading.tlp}",
        "From": sender,
        "Reply-To": checked_mailbox(heading.authority.contact, "contact of the authority"),
        "Date": heading.dated_at,
        "Message-ID": message_id(heading) if cut.audience is Audience.HOST else _copy_id(cut),
    }
    if heading.recipient is not None:
        headers["To"] = checked_mailbox(heading.recipient, "recipient")
    try:
        for name, value in headers.items():
            message[name] = value
    except ValueError:
        # The library refuses line breaks; its message would quote the value.
        raise RefusedError("A header of the notice is unfit.", "Mend the record.", code="header") from None


def _attach_xarf(message: EmailMessage, cut: Cut, name: str) -> tuple[XarfRefusal, ...]:
    if not may_know(cut.audience, Datum.URL):
        return ()
    batch = xarf_batch(cut)
    places = {item.item_id: place for place, item in enumerate(cut.items, start=1)}
    for item_id, report in batch.reports:
        message.add_attachment(
            xarf_bytes(report),
            maintype="application",
            subtype="json",
            filename=f"{name}-xarf-{places[item_id]}.json",
        )
    return batch.refused
