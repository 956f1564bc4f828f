"""Say what a server's certificate was and what is wrong with it.

A page behind a bad certificate is still evidence, so the transport first connects with verification and, when
that fails, once more without; the request is sent only once.
"""

from __future__ import annotations

import hashlib
import ssl
from dataclasses import dataclass

# X509_V_ERR_ numbers of OpenSSL, x509_vfy.h.
_PROBLEMS = {
    9: "not_yet_valid", 10: "expired", 18: "self_signed", 19: "untrusted", 20: "untrusted", 21: "untrusted",
    22: "untrusted", 23: "revoked", 62: "wrong_name", 64: "wrong_name", 66: "weak", 67: "weak", 68: "weak",
}  # fmt: skip

# Why OpenSSL ended a handshake that it would have gone on with a few years ago.
_WEAK_REASONS = frozenset((
    "UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL",
    "CA_MD_TOO_WEAK", "DH_KEY_TOO_SMALL", "WRONG_SIGNATURE_TYPE", "SSLV3_ALERT_HANDSHAKE_FAILURE",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED", "TLSV1_ALERT_INSUFFICIENT_SECURITY",
))  # fmt: skip


class BadCertificateError(Exception):
    """The certificate failed, and the setting says that no page behind such a one is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFacts:
    """What the record keeps of a TLS connection."""

    sha256: str | None
    """Digest of the leaf certificate in DER form."""
    version: str | None


def tls_facts(connection: ssl.SSLObject | ssl.SSLSocket) -> TlsFacts:
    """Give the facts of an established TLS connection, verified or not."""
    leaf = connection.getpeercert(binary_form=True)
    return TlsFacts(
        sha256=hashlib.sha256(leaf).hexdigest() if leaf else None,
        version=connection.version(),
    )


def tls_problem(error: OSError) -> str | None:
    """Give the word for why verification failed (see `Fetch.tls_problem`); None: there is no TLS at all."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _PROBLEMS.get(error.verify_code, "invalid")
    if isinstance(error, ssl.SSLError) and error.reason in _WEAK_REASONS:
        return "weak"
    return None


def is_closed_by_peer(connection: ssl.SSLObject) -> bool:
    """Say whether the peer ended TLS by its closing alert, so that nobody cut the stream (RFC 8446, 6.1)."""
    try:
        connection.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:
        return False
    return False


def verifying_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Give a context that trusts the system's authorities, or those in ``ca_file`` alone."""
    return _for_http(ssl.create_default_context(cafile=ca_file))


def reading_context() -> ssl.SSLContext:
    """Give a context that accepts any certificate, key and version: for a page whose certificate failed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:!aNULL:!eNULL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)
    return _for_http(context)


def _for_http(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context
