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
    23: "revoked", 62: "wrong_name", 64: "wrong_name",
}  # fmt: skip


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


def tls_problem(error: ssl.SSLCertVerificationError) -> str:
    """Give the stable word for why verification failed."""
    return _PROBLEMS.get(error.verify_code, "invalid")


def verifying_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Give a context that trusts the system's authorities, or those in ``ca_file`` alone."""
    return ssl.create_default_context(cafile=ca_file)


def reading_context() -> ssl.SSLContext:
    """Give a context that accepts any certificate: for reading a page whose certificate failed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
