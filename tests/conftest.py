"""What many tests share: an empty database of each kind, and a case log in it."""

from __future__ import annotations

import os
import shutil
import uuid
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from caselog.store.log import CaseLog, create_case_log, open_case_log
from caselog.vault import Keys
from tests.servers.postgresql import ALLOW_NO_SKIP, postgresql_server, programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def no_public_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Trust no public certificate authority: no test meets one, and each crawl would read them all."""
    empty = tmp_path_factory.mktemp("authorities") / "none.pem"
    empty.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(empty))
        patch.setenv("SSL_CERT_DIR", str(empty.parent))
        yield


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Give the address of a running server's first database."""
    if programs() is None:
        if os.environ.get(ALLOW_NO_SKIP) == "1":
            pytest.fail("the PostgreSQL server programs are not installed, and no test may be skipped here")
        pytest.skip("needs the PostgreSQL server programs")
    with postgresql_server() as address:
        yield address


@pytest.fixture(
    scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs_postgresql)]
)
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], str]:
    """Give a function that makes a new, empty database and returns its address; runs on both kinds."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('database') / 'casebook.db'}"
    server = request.getfixturevalue("postgresql")
    return lambda: _new_database(server)


def _new_database(server: str, template: str = "template1") -> str:
    name = f"t{uuid.uuid4().hex}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    engine.dispose()
    return sa.make_url(server).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def keys() -> Keys:
    """Give random keys that lie in no file."""
    return Keys.fresh()


@pytest.fixture(scope="session")
def new_case_log(
    database_url: Callable[[], str], keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], str]:
    """Give a function that copies an empty case log, quicker than making it, and returns its address."""
    first = database_url()
    create_case_log(first, keys).close()
    url = sa.make_url(first)
    if url.get_backend_name() == "postgresql":
        server = url.set(database="postgres").render_as_string(hide_password=False)
        return lambda: _new_database(server, str(url.database))

    def copy() -> str:
        path = tmp_path_factory.mktemp("copy") / "casebook.db"
        shutil.copy2(str(url.database), path)
        return f"sqlite:///{path}"

    return copy


@pytest.fixture
def case_log(new_case_log: Callable[[], str], keys: Keys) -> Iterator[CaseLog]:
    """Give an empty case log; the test runs once on each kind of database."""
    log = open_case_log(new_case_log(), keys)
    yield log
    log.close()


@pytest.fixture(scope="session")
def empty_casebook(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of an empty case log on SQLite, to copy."""
    path = tmp_path_factory.mktemp("empty") / "casebook.db"
    create_case_log(f"sqlite:///{path}", keys).close()
    return path


@pytest.fixture
def sqlite_log(tmp_path: Path, empty_casebook: Path, keys: Keys) -> Iterator[CaseLog]:
    """Give an empty case log on SQLite, for tests that have nothing to do with the kind of database."""
    path = tmp_path / "casebook.db"
    shutil.copy2(empty_casebook, path)
    log = open_case_log(f"sqlite:///{path}", keys)
    yield log
    log.close()
