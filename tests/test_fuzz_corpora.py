"""The seeds of the fuzz targets, run once each: a finding's bytes become a seed and stay mended."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.targets import TARGETS
from tests.fuzz.tokens import TOKENS, inputs

CORPORA = Path(__file__).parent / "fuzz" / "corpora"
SEEDS = sorted(path for path in CORPORA.glob("*/*") if path.is_file())


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_no_seed_breaks_its_target(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_seeds_and_every_corpus_a_target() -> None:
    assert {path.parent.name for path in SEEDS} == set(TARGETS)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_no_mix_of_tokens_breaks_a_target(name: str) -> None:
    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(inputs(name))
    def check(data: bytes) -> None:
        TARGETS[name](data)

    check()


def test_every_target_has_tokens() -> None:
    assert set(TOKENS) == set(TARGETS)
