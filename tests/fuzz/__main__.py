"""`python -m tests.fuzz TARGET|all [--seconds N]`: look for bytes that break a target, for a given time.

Guided by coverage where atheris is installed, else by chance over the corpus. A finding is written to
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

CORPORA = Path(__file__).parent / "corpora"
FINDINGS = Path(".fuzz")
MOST_BYTES = 16_384
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


def mutated(data: bytes, pool: list[bytes], dice: random.Random) -> bytes:
    """Give a changed copy: bytes flipped, cut, doubled, mixed with another seed."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        at = dice.randint(0, len(out))
        match dice.randrange(5):
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
            case _:
                out[at:at] = out[at : at + dice.randint(1, 64)] * dice.randint(1, 20)
    return bytes(out[:MOST_BYTES])


def by_chance(name: str, seconds: float) -> int:
    """Fuzz without a guide; return the number of findings."""
    dice, pool = random.Random(), seeds(name)
    ends_s, runs, found = time.monotonic() + seconds, 0, 0
    while time.monotonic() < ends_s and found < 5:
        data = mutated(dice.choice(pool), pool, dice)
        runs += 1
        try:
            run_once(name, data)
        except Exception as error:  # noqa: BLE001  # whatever comes out is the finding
            print(f"{type(error).__name__}: {error}")
            report(name, data)
            found += 1
    print(f"{name}: {runs} inputs in {seconds:.0f} s by chance, {found} findings", flush=True)
    return found


def guided(name: str, seconds: float) -> None:
    """Fuzz guided by coverage; libFuzzer ends the process, with 0 when nothing was found."""
    import atheris

    with atheris.instrument_imports(include=["crawler", "caselog"]):
        import tests.fuzz.targets  # noqa: F401  # instrumented by being imported here

    def one(data: bytes) -> None:
        try:
            run_once(name, data)
        except Exception:
            report(name, data)
            raise

    folder = FINDINGS / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds:.0f}", f"-max_len={MOST_BYTES}", "-timeout=20", "-verbosity=0",
               "-print_final_stats=1", f"-artifact_prefix={FINDINGS}/"]  # fmt: skip
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
        sys.exit(bool(by_chance(asked.target, asked.seconds)))


if __name__ == "__main__":
    main()
