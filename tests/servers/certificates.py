"""Certificates made when a test asks: an authority of its own, good leaves and bad ones."""

from __future__ import annotations

import ssl
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

    PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Authority:
    """A certificate authority that only the test trusts."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def file(self) -> str:
        return str(self.folder / "authority.pem")

    def server_context(
        self,
        *names: str,
        days: tuple[int, int] = (-1, 1),
        self_signed: bool = False,
        weak: bool = False,
        followers: int = 0,
    ) -> ssl.SSLContext:
        """Give a server's context with a leaf for ``names``, valid between two days from now.

        Args:
            weak: With an RSA key of 1,024 bits.
            followers: So many certificates that belong to nothing are sent behind the leaf.
        """
        key: PrivateKey = (
            rsa.generate_private_key(65537, 1024) if weak else ec.generate_private_key(ec.SECP256R1())
        )
        issuer = _name("leaf") if self_signed else self.certificate.subject
        leaf = _builder("leaf", issuer, key, days).add_extension(
            x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False
        )
        signed = leaf.sign(key if self_signed else self.key, hashes.SHA256())
        chain = [signed, *(_follower(number) for number in range(followers))]
        path = self.folder / f"leaf{uuid.uuid4().hex}.pem"
        path.write_bytes(
            _private(key) + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if weak:
            context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(path)
        return context


def new_authority(folder: Path) -> Authority:
    """Make an authority whose certificate lies in ``folder``."""
    key = ec.generate_private_key(ec.SECP256R1())
    constraint = x509.BasicConstraints(ca=True, path_length=None)
    builder = _builder("authority", _name("authority"), key, (-1, 1)).add_extension(constraint, critical=True)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())
    (folder / "authority.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(folder, key, certificate)


def _builder(
    subject: str, issuer: x509.Name, key: PrivateKey, days: tuple[int, int]
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
    )


def _follower(number: int) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    return _builder(f"follower {number}", _name(f"nobody {number}"), key, (-1, 1)).sign(key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
