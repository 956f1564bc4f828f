"""What is recorded of a server's certificate, good or bad."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from typing import TYPE_CHECKING

import pytest

from crawler.transport.client import Transport
from crawler.transport.fetch import Answer, Fetch, FetchFailed
from tests.servers.certificates import Authority, new_authority
from tests.servers.hostile import HostileServer, answer, page

if TYPE_CHECKING:
    from pathlib import Path

PAGE = {"/": answer(page(3000), "Content-Type: text/html")}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return new_authority(tmp_path)


def fetch(server: HostileServer, authority: Authority, *, may_read_invalid_tls: bool = True) -> Answer:
    async def once() -> Answer:
        transport = Transport(
            practice=True,
            user_agent="test",
            ca_file=authority.file,
            may_read_invalid_tls=may_read_invalid_tls,
        )
        try:
            return await transport.fetch(server.url("/"))
        finally:
            await transport.close()

    return asyncio.run(once())


def facts(server: HostileServer, authority: Authority) -> Fetch:
    return fetch(server, authority).fetch


@pytest.mark.parametrize(
    ("names", "options", "problem"),
    [
        (["127.0.0.1"], {"days": (-9, -1)}, "expired"),
        (["127.0.0.1"], {"days": (1, 9)}, "not_yet_valid"),
        (["127.0.0.1"], {"self_signed": True}, "self_signed"),
        (["rye.example"], {}, "wrong_name"),
    ],
)
def test_a_page_behind_a_bad_certificate_is_read_and_the_problem_named(
    authority: Authority, names: list[str], options: dict[str, object], problem: str
) -> None:
    with HostileServer(PAGE, authority.server_context(*names, **options)) as server:  # type: ignore[arg-type]
        got = fetch(server, authority)
        visits = server.wait_over(2)

    assert (got.fetch.tls_valid, got.fetch.tls_problem, got.fetch.connections) == (False, problem, 2)
    assert got.body == page(3000)
    assert [bool(visit.request) for visit in visits] == [False, True], "the request is sent once"


def test_a_certificate_of_an_unknown_authority_is_untrusted(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = new_authority(tmp_path / "other")
    with HostileServer(PAGE, other.server_context("127.0.0.1")) as server:
        assert facts(server, authority).tls_problem in {"untrusted", "invalid"}


def test_a_bad_certificate_is_a_failure_when_the_setting_says_so(authority: Authority) -> None:
    with (
        HostileServer(PAGE, authority.server_context("127.0.0.1", days=(-9, -1))) as server,
        pytest.raises(FetchFailed) as failure,
    ):
        fetch(server, authority, may_read_invalid_tls=False)

    assert failure.value.code == "tls"
    assert not any(visit.request for visit in server.visits)


def test_a_good_certificate_is_recorded_with_its_digest(authority: Authority) -> None:
    with HostileServer(PAGE, authority.server_context("127.0.0.1")) as server:
        got = facts(server, authority)
        leaf = ssl.get_server_certificate((server.host, server.port))

    assert (got.tls_valid, got.tls_problem, got.tls_version, got.connections) == (True, None, "TLSv1.3", 1)
    assert got.tls_sha256 == hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf)).hexdigest()
