"""Mail addresses and host names, as far as headers need them."""

from __future__ import annotations

from ipaddress import ip_address

from caselog.errors import RefusedError

_SPECIAL = frozenset(' ,;:<>()[]\\"')
"""Signs that need quoting in a header (RFC 5322, 3.2.3); a role mailbox has none of them."""


def is_mailbox(address: str) -> bool:
    """Return whether `address` can stand alone in a header: one plain ASCII mailbox with a domain."""
    local, separator, domain = address.rpartition("@")
    if not (separator and local and "@" not in local and len(address) <= 254):
        return False
    return address.isascii() and address.isprintable() and not set(address) & _SPECIAL and _is_domain(domain)


def checked_mailbox(address: str, what: str) -> str:
    """Return `address` when it is one plain mailbox.

    Args:
        address: A mailbox.
        what: Whose it is, for the message; the address itself is not quoted.

    Raises:
        RefusedError: It is not (`mailbox`); so no line break or second address comes into a header.
    """
    if is_mailbox(address):
        return address
    raise RefusedError(
        f"The {what} is not one plain mail address.", "Set one mailbox, such as a role's.", code="mailbox"
    )


def mail_domain(address: str) -> str:
    """Return the domain of a mailbox, in lower case."""
    return address.rpartition("@")[2].lower()


def is_ip_literal(text: str) -> bool:
    """Return whether `text` is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_domain(domain: str) -> bool:
    labels = domain.split(".")
    return len(labels) >= 2 and all(
        label and not label.startswith("-") and label.replace("-", "").isalnum() for label in labels
    )
