"""Defanged addresses, which nothing turns into a link: written for screens, and made whole at intake."""

from __future__ import annotations

import re
from typing import Final

_DEFANGED: Final = re.compile(
    r"h(?:tt|xx|\*\*)p(s?)(?:://|\[:\]//|\[://\]|:\[//\])([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL
)
_DEFANGED_DOT: Final = re.compile(r"\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)", re.IGNORECASE)


def defang(url_or_host: str) -> str:
    """Give the form for screens, which nothing turns into a link: ``hxxp://bread[.]example/path``."""
    scheme, mark, rest = url_or_host.partition("://")
    if not mark:
        scheme, rest = "", url_or_host
    end = min((i for i in map(rest.find, "/?#") if i >= 0), default=len(rest))
    host = rest[:end].replace(".", "[.]")
    if host.startswith("["):
        host = host.replace(":", "[:]")
    return f"{scheme.replace('tt', 'xx', 1)}{mark}{host}{rest[end:]}"


def refang(text: str) -> str:
    """Give the address that a defanged one stands for; what is not defanged comes back as it is.

    Known are ``hxxp``, ``h**p``, ``[:]//``, ``[://]``, and dots written ``[.]``, ``(.)``, ``{.}``, ``[dot]``
    or ``(dot)``. Path and query are left alone: there these signs may be the page's own.
    """
    found = _DEFANGED.match(text)
    if found is None:
        return text
    host = _DEFANGED_DOT.sub(".", found[2]).replace("[:]", ":")
    return f"http{found[1].lower()}://{host}{found[3]}"
