"""`python -m tests.fuzz TARGET|all [--seconds N]`: look for bytes that break a target, for a given time.

First long rows of one small unit, which show work that grows faster than the input; then guided by coverage
where atheris is installed, else by chance over the corpus. A finding is written to
`.fuzz/` and printed with how to try it again: `python -m tests.fuzz TARGET --replay FILE`. Bytes that take
more than half a second of processor time are findings, too.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CORPORA = Path(__file__).parent / "corpora"
FINDINGS = Path(".fuzz")
MOST_BYTES = 16_384
PUMPED_SHARE = 0.15
"""Of the time, for long rows."""
MOST_CPU_S = 0.5
WITHOUT_GUIDE = frozenset({"socks", "tunnels"})
"""Targets that wait for a peer: coverage of their event loop says nothing."""


class TooSlowError(AssertionError):
    """The bytes cost far too much processor time for their length."""


def run_once(name: str, data: bytes) -> None:
    """Run one input; raises what the target raises, or `TooSlowError`."""
    from tests.fuzz.targets import TARGETS

    before_s = time.process_time()
    TARGETS[name](data)
    if time.process_time() - before_s > MOST_CPU_S:
        before_s = time.process_time()
        TARGETS[name](data)  # once more: the first may have met a pause of the machine
        if time.process_time() - before_s > MOST_CPU_S:
            raise TooSlowError


def report(name: str, data: bytes) -> Path:
    """Keep a finding and say how to try it again."""
    FINDINGS.mkdir(exist_ok=True)
    path = FINDINGS / f"{name}-{random.randrange(10**9):09}"
    path.write_bytes(data)
    print(f"FINDING {name}: python -m tests.fuzz {name} --replay {path}", flush=True)
    return path


def seeds(name: str) -> list[bytes]:
    """Give the corpus of a target."""
    return [path.read_bytes() for path in sorted((CORPORA / name).glob("*"))] or [b""]


def mutated(data: bytes, pool: list[bytes], tokens: list[bytes], dice: random.Random) -> bytes:
    """Give a changed copy: bytes flipped, cut, doubled, mixed with another seed or with a token."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        at = dice.randint(0, len(out))
        match dice.randrange(6):
            case 0 if out:
                out[at - 1] = dice.randrange(256)
            case 1:
                out[at:at] = dice.randbytes(dice.randint(1, 8))
            case 2:
                del out[at : at + dice.randint(1, 16)]
            case 3:
                other = dice.choice(pool)
                start = dice.randint(0, len(other))
                out[at:at] = other[start : start + dice.randint(1, 200)]
            case 4:
                out[at:at] = dice.choice(tokens)
            case _:
                out[at:at] = out[at : at + dice.randint(1, 64)] * dice.randint(1, 20)
    return bytes(out[:MOST_BYTES])


def by_chance(name: str, seconds: float) -> int:
    """Fuzz without a guide; return the number of findings."""
    from tests.fuzz.tokens import TOKENS, spelled

    dice, pool = random.Random(), seeds(name)
    tokens = [spelled(name, token) for token in TOKENS[name]]
    return _tried(name, seconds, lambda: mutated(dice.choice(pool), pool, tokens, dice), "by chance")


def in_long_rows(name: str, seconds: float) -> int:
    """Fuzz with pumped inputs; return the number of findings."""
    from tests.fuzz.tokens import pumped

    dice = random.Random()
    return _tried(name, seconds, lambda: pumped(name, dice), "in long rows")


def _tried(name: str, seconds: float, made: Callable[[], bytes], how: str) -> int:
    ends_s, runs, found = time.monotonic() + seconds, 0, 0
    while time.monotonic() < ends_s and found < 5:
        data = made()
        runs += 1
        try:
            run_once(name, data)
        except Exception as error:  # noqa: BLE001  # whatever comes out is the finding
            print(f"{type(error).__name__}: {error}")
            report(name, data)
            found += 1
    print(f"{name}: {runs} inputs in {seconds:.0f} s {how}, {found} findings", flush=True)
    return found


def guided(name: str, seconds: float) -> None:
    """Fuzz guided by coverage; libFuzzer ends the process, with 0 when nothing was found."""
    import atheris

    with atheris.instrument_imports(include=["crawler", "caselog"]):
        import tests.fuzz.targets  # noqa: F401  # instrumented by being imported here
    from tests.fuzz.tokens import dictionary

    if in_long_rows(name, seconds * PUMPED_SHARE):
        sys.exit(1)
    seconds *= 1 - PUMPED_SHARE

    def one(data: bytes) -> None:
        try:
            run_once(name, data)
        except Exception:
            report(name, data)
            raise

    folder = FINDINGS / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    words = FINDINGS / f"{name}.dict"
    words.write_text(dictionary(name))
    options = [
        f"-dict={words}", f"-max_total_time={seconds:.0f}", f"-max_len={MOST_BYTES}", "-timeout=20",
        "-verbosity=0", "-print_final_stats=1", f"-artifact_prefix={FINDINGS}/",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(folder), str(CORPORA / name)], one)
    atheris.Fuzz()


def has_guide() -> bool:
    """Say whether atheris is installed."""
    try:
        import atheris  # noqa: F401
    except ImportError:
        return False
    return True


def all_targets(seconds: float) -> int:
    """Run every target in a process of its own; return how many found something."""
    from tests.fuzz.targets import TARGETS

    failed = []
    for name in TARGETS:
        started_s = time.monotonic()
        command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(seconds)]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        told = ended.stdout + ended.stderr
        runs = [line.split()[-1] for line in told.splitlines() if "number_of_executed_units" in line]
        runs = runs or [line.split()[1] for line in told.splitlines() if " by chance, " in line]
        print(
            f"{name}: {runs[0] if runs else '?'} inputs in {time.monotonic() - started_s:.0f} s, "
            f"{'ok' if ended.returncode == 0 else 'FOUND SOMETHING'}",
            flush=True,
        )
        if ended.returncode:
            print(told[-3000:], flush=True)
            failed.append(name)
    print(f"{len(TARGETS)} targets, {len(failed)} with findings {' '.join(failed)}")
    return len(failed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--replay", type=Path)
    asked = parser.parse_args()
    if asked.replay:
        run_once(asked.target, asked.replay.read_bytes())
        print("nothing found")
    elif asked.target == "all":
        sys.exit(bool(all_targets(asked.seconds)))
    elif has_guide() and asked.target not in WITHOUT_GUIDE:
        guided(asked.target, asked.seconds)
    else:
        found = in_long_rows(asked.target, asked.seconds * PUMPED_SHARE)
        found += by_chance(asked.target, asked.seconds * (1 - PUMPED_SHARE))
        sys.exit(bool(found))


if __name__ == "__main__":
    main()
