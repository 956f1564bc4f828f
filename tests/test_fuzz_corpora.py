"""The seeds of the fuzz targets, run once each: a finding's bytes become a seed and stay mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPORA = Path(__file__).parent / "fuzz" / "corpora"
SEEDS = sorted(path for path in CORPORA.glob("*/*") if path.is_file())


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_no_seed_breaks_its_target(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_seeds_and_every_corpus_a_target() -> None:
    assert {path.parent.name for path in SEEDS} == set(TARGETS)
