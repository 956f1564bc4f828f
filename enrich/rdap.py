"""Read RDAP answers (RFC 9083) into facts: pure, strict about types, and deaf to anything unexpected.

Entities are read from the answer itself, nested ones too: registries put the abuse contact inside its holder.
"""

from __future__ import annotations

import json
import re
from typing import Any

from caselog.errors import SourceError
from enrich.addresses import Span, parse_span
from enrich.interface import Entity, Registration
from enrich.names import ascii_domain
from enrich.ranges import country_code

MAX_JSON_DEPTH = 64
MAX_ENTITY_DEPTH = 4
MAX_ENTITIES = 200
MAX_ITEMS = 100
# A string runs to its closing quote or to the end, so that no part of the text is looked at twice.
_MARK = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[{\]}]', re.DOTALL)
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_TOP = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")
_SPLIT = re.compile(r"[\s<>,;()\[\]\"]+")
_GEOFEED = re.compile(r"\bgeofeed:?\s+(https://\S{4,300})", re.IGNORECASE)


def read_json(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`.

    Raises:
        SourceError: It is not UTF-8, not JSON, too deep, or no object.

    """
    try:
        text = body.decode("utf-8")
        if _depth(text) > MAX_JSON_DEPTH:
            raise SourceError("A registry's answer is nested too deep.", "Ask the registry by hand.")
        found = json.loads(text, parse_constant=_refuse_constant)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise SourceError("A registry's answer is not JSON.", "Ask the registry by hand.") from error
    if not isinstance(found, dict):
        raise SourceError("A registry's answer is not a JSON object.", "Ask the registry by hand.")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _depth(text: str) -> int:
    deepest = depth = 0
    for mark in _MARK.findall(text):
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def read_registration(answer: dict[str, Any]) -> Registration:
    """Return the facts of a network, an autonomous system or a domain; what is malformed is left out."""
    links = [link for link in _items(answer.get("links")) if isinstance(link, dict)]
    remarks = _remarks(answer.get("remarks"))
    return Registration(
        span=_span(answer),
        name=_text(answer.get("name")),
        handle=_text(answer.get("handle")),
        parent_handle=_text(answer.get("parentHandle")),
        country=country_code(answer.get("country")),
        kind=_text(answer.get("type")),
        status=tuple(word for item in _items(answer.get("status")) if (word := _text(item))),
        entities=read_entities(answer.get("entities")),
        remarks=remarks,
        parent_url=_link(links, "up"),
        geofeed_url=_link(links, "geo") or _link(links, "geofeed") or _geofeed(remarks),
        port43=_text(answer.get("port43")),
    )


def read_entities(value: object) -> tuple[Entity, ...]:
    """Return all entities to depth 4, in the order of the answer, an outer one before those inside it."""
    found: list[Entity] = []
    waiting: list[tuple[object, int, tuple[str, ...]]] = [(value, 0, ())]
    while waiting and len(found) < MAX_ENTITIES:
        items, depth, under = waiting.pop()
        for item in _items(items):
            if not isinstance(item, dict) or len(found) >= MAX_ENTITIES:
                continue
            entity = _entity(item, depth, under)
            found.append(entity)
            if depth < MAX_ENTITY_DEPTH and item.get("entities"):
                waiting.append((item["entities"], depth + 1, entity.roles))
    return tuple(sorted(found, key=lambda entity: entity.depth))


def _entity(item: dict[str, Any], depth: int, under: tuple[str, ...]) -> Entity:
    card = _card(item.get("vcardArray"))
    written = [text for name, _, value in card if name == "email" for text in _strings(value)]
    mails = [mail for text in written if (mail := mail_address(text))]
    return Entity(
        roles=tuple(word.lower() for value in _items(item.get("roles")) if (word := _text(value))),
        handle=_text(item.get("handle")),
        name=_first(card, "fn") or _first(card, "org"),
        kind=(_first(card, "kind") or "").lower() or None,
        mails=tuple(dict.fromkeys(mails)),
        bad_mails=tuple(printable(text) for text in written if mail_address(text) is None)[:10],
        depth=depth,
        under=under,
        remarks=_remarks(item.get("remarks")),
        country=_card_country(card),
    )


Property = tuple[str, dict[str, Any], object]


def _card(value: object) -> tuple[Property, ...]:
    rows = value[1] if isinstance(value, list) and len(value) >= 2 else None
    found: list[Property] = []
    for row in _items(rows):
        if isinstance(row, list) and len(row) >= 4 and isinstance(row[0], str):
            parameters = row[1] if isinstance(row[1], dict) else {}
            # RFC 7095, 3.3.1.3: further values of a property stand behind the first.
            found.append((row[0].lower(), parameters, row[3] if len(row) == 4 else row[3:]))
    return tuple(found)


def _first(card: tuple[Property, ...], name: str) -> str | None:
    values = (text for key, _, value in card if key == name for text in _strings(value))
    return next((clean for value in values if (clean := _text(value)) and clean != "withheld"), None)


def _card_country(card: tuple[Property, ...]) -> str | None:
    for name, parameters, value in card:
        if name != "adr":
            continue
        last = value[6] if isinstance(value, list) and len(value) >= 7 else None
        if code := country_code(parameters.get("cc")) or country_code(last):
            return code
    return None


def mail_address(text: str) -> str | None:
    """Return the mailbox that the whole of `text` writes, in lower case; None for anything else.

    `mailto:` is taken off. Control characters, line ends, lists and comments are refused, never cut away.
    """
    text = text.strip(" ")
    if text.lower().startswith("mailto:"):
        text = text[7:].partition("?")[0]
    local, at, domain = text.rpartition("@")
    if not at or len(text) > 254 or len(local) > 64 or not _LOCAL.fullmatch(local):
        return None
    return f"{local.lower()}@{name}" if (name := _mail_domain(domain)) else None


def _mail_domain(domain: str) -> str | None:
    name = ascii_domain(domain) if domain and not domain.startswith(".") else None
    if not name or len(name) > 253 or any(mark.isspace() for mark in name):
        return None
    labels = name.split(".")
    if len(labels) < 2 or not _TOP.fullmatch(labels[-1]):
        return None
    return name if all(_LABEL.fullmatch(label) for label in labels) else None


def mails_in(text: str) -> tuple[str, ...]:
    """Return the mailboxes in a line of free text, each a whole token of it."""
    tokens = (token.strip("'`*|").rstrip(".:!?'") for token in _SPLIT.split(text[:4000]))
    return tuple(dict.fromkeys(mail for token in tokens if (mail := mail_address(token))))


def printable(text: str, limit: int = 120) -> str:
    """Return foreign text cut to one harmless line."""
    return "".join(mark if mark.isprintable() else " " for mark in text[:limit])


def _span(answer: dict[str, Any]) -> Span | None:
    start, end = answer.get("startAddress"), answer.get("endAddress")
    return parse_span(start, end) if isinstance(start, str) and isinstance(end, str) else None


def _remarks(value: object) -> tuple[str, ...]:
    found: list[str] = []
    for item in _items(value):
        if isinstance(item, dict):
            found.extend(
                printable(line, 1000) for line in _items(item.get("description")) if isinstance(line, str)
            )
    return tuple(found[:MAX_ITEMS])


def _link(links: list[dict[str, Any]], relation: str) -> str | None:
    for link in links:
        target = link.get("href")
        if link.get("rel") == relation and isinstance(target, str) and len(target) < 1000:
            return target
    return None


def _geofeed(remarks: tuple[str, ...]) -> str | None:
    matches = (_GEOFEED.search(line) for line in remarks)
    return next((match[1] for match in matches if match), None)


def _items(value: object) -> list[Any]:
    if isinstance(value, list):
        return value[:MAX_ITEMS]
    return [value] if isinstance(value, str) else []


def _strings(value: object) -> list[str]:
    return [item for item in _items(value) if isinstance(item, str)]


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return printable(value, 200).strip() or None
