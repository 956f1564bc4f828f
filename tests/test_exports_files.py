"""Files of a notice: private, whole, and never overwritten."""

from __future__ import annotations

import os
import stat

import pytest

from caselog.errors import ConfigError
from exports.documents import Document
from exports.files import write_documents

LOAF = Document(name="notice-7.eml", content=b"loaf")


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_files_and_folder_are_private_whatever_the_mask(tmp_path):
    old = os.umask(0)
    try:
        paths = write_documents(tmp_path / "a" / "out", [LOAF])
    finally:
        os.umask(old)

    assert [path.name for path in paths] == ["notice-7.eml"]
    assert (_mode(paths[0]), _mode(paths[0].parent)) == (0o600, 0o700)
    assert paths[0].read_bytes() == b"loaf"


def test_the_same_content_again_adds_nothing(tmp_path):
    first = write_documents(tmp_path, [LOAF])

    assert write_documents(tmp_path, [LOAF]) == first
    assert len(list(tmp_path.iterdir())) == 1


def test_other_content_comes_beside_the_first_with_a_revision(tmp_path):
    for content in (b"loaf", b"bun", b"roll", b"bun"):
        paths = write_documents(tmp_path, [Document(name="notice-7.eml", content=content)])

    assert paths[0].name == "notice-7-r2.eml"
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {"notice-7.eml": b"loaf", "notice-7-r2.eml": b"bun", "notice-7-r3.eml": b"roll"}


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"mine")
    (tmp_path / "out").mkdir(mode=0o700)
    (tmp_path / "out" / "notice-7.eml").symlink_to(tmp_path / "elsewhere")

    paths = write_documents(tmp_path / "out", [LOAF])

    assert (tmp_path / "elsewhere").read_bytes() == b"mine"
    assert paths[0].name == "notice-7-r2.eml"


def test_an_empty_folder_is_made_private(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o755)

    write_documents(tmp_path / "out", [LOAF])

    assert _mode(tmp_path / "out") == 0o700


def test_a_folder_that_others_read_and_use_is_refused(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o755)
    (tmp_path / "out" / "recipe").touch()

    with pytest.raises(ConfigError):
        write_documents(tmp_path / "out", [LOAF])

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["recipe"]


@pytest.mark.parametrize(
    "name", ["../x.eml", "bread.example.eml", "/tmp/x.eml", "A.eml", "", "x", ".x.eml", "a b.eml"]
)
def test_a_name_that_may_tell_or_lead_somewhere_is_refused(tmp_path, name):
    with pytest.raises(ConfigError):
        write_documents(tmp_path, [Document(name=name, content=b"")])

    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").touch()

    with pytest.raises(ConfigError):
        write_documents(tmp_path / "out", [LOAF])
    with pytest.raises(ConfigError):
        write_documents(tmp_path / "out" / "below", [LOAF])


def test_a_failed_write_leaves_no_half_file(tmp_path):
    """The draft's name fits, the write fails: bytes are wanted and something else comes."""
    with pytest.raises(TypeError):
        write_documents(tmp_path, [Document(name="notice-7.eml", content="text")])

    assert list(tmp_path.iterdir()) == []
