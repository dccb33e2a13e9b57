"""Runs libraries' own suites without lanebaggage, with it, and in a lane, and compares: ``python run.py requests flask``.

``nox -s upstream -- requests`` does it in an environment that has uv and pip. Ends with 1 where an outcome changed that
``suites/NAME.toml`` does not name with its reason, or where a patch of ours failed. A test that comes out differently is run
again in both modes, alone and then with its file; where the difference does not come back it is reported as unsteady.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import page
from suite import HERE, Prepared, Results, Suite, SuiteError, can_be_alone, names, read, run

MODES = {"off": "without lanebaggage", "on": "on, in no lane", "lane": "on, every test in a lane"}


@dataclass
class Verdict:
    """What came out of a suite in all modes."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    known: dict[str, set[str]] = field(default_factory=dict)
    unsteady: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


def changed(one: Results, other: Results) -> set[str]:
    tests = one.outcomes.keys() | other.outcomes.keys()
    return {test for test in tests if one.outcomes.get(test) != other.outcomes.get(test)}


def named(test: str, reasons: dict[str, str]) -> str | None:
    """The entry that names a test: the whole of it, a test without its parameters, or a file."""
    return next((key for key in reasons if test == key or test.startswith((f"{key}[", f"{key}::", f"{key}."))), None)


def confirmed(prepared: Prepared, mode: str, tests: set[str], plain: Results, found: Results) -> set[str]:
    """Those of some tests that come out differently again.

    Alone, three times, then with their files: an outcome counts that was there twice or more in the mode and never without us.
    """
    seen = {"off": [plain], mode: [found]}

    def differing() -> set[str]:
        def differs(test: str) -> bool:
            without = {results.outcomes.get(test) for results in seen["off"] if results.outcomes}
            there = Counter(results.outcomes.get(test) for results in seen[mode] if results.outcomes)
            return any(count > 1 for outcome, count in there.items() if outcome not in without)

        return {test for test in tests if differs(test)}

    for _ in range(3):
        seen["off"].append(prepared.run("off", sorted(tests)))
        seen[mode].append(prepared.run(mode, sorted(tests)))
    if rest := tests - differing():
        whole = sorted({prepared.suite.file_of(test) for test in rest})
        seen["off"].append(prepared.run("off", whole))
        seen[mode].append(prepared.run(mode, whole))
    return differing()


def examine(prepared: Prepared) -> Verdict:
    suite = prepared.suite
    verdict = Verdict()
    plain = None
    for mode, words in MODES.items():
        started = time.monotonic()
        found = prepared.run(mode)
        verdict.counts[mode] = Counter(found.outcomes.values())
        took = time.monotonic() - started
        print(f"{suite.name} {suite.version} {words}: {page.counted(verdict.counts[mode])} in {took:.0f} s", flush=True)
        plain = plain or found
        if mode == "off":
            if not verdict.counts[mode]["passed"]:
                verdict.faults.append("no test has passed")
            continue
        reasons = suite.allowed(mode)
        different = changed(plain, found)
        verdict.known[mode] = {test for test in different if named(test, reasons)}
        rest = different - verdict.known[mode]
        again = confirmed(prepared, mode, rest, plain, found) if rest else set()
        for test in sorted(rest):
            line = f"{test}: {plain.outcomes.get(test)} -> {found.outcomes.get(test)}, {words}"
            if test in again:
                verdict.faults.append(line)
            else:
                verdict.unsteady.add(test)
                print(f"  unsteady, the same when it is run again: {line}", flush=True)
        used = {named(test, reasons) for test in different}
        verdict.faults += [f"{key}: does not change {words}; take it out" for key in reasons if key not in used]
        verdict.faults += [f"a patch failed: {text}" for text in found.failures if not text.startswith(tuple(suite.failures))]
    for fault in verdict.faults:
        print(f"  {fault}", flush=True)
    return verdict


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"suites; all of them by default: {', '.join(names())}")
    parser.add_argument("--write", action="store_true", help=f"write what came out into {page.PAGE.name}")
    parser.add_argument("--wheel", type=Path, help="of lanebaggage; built by default")
    parser.add_argument("--keep", type=Path, help="a directory for environments, tests and output, which stays")
    given = parser.parse_args()
    good = bad = 0
    with tempfile.TemporaryDirectory(prefix="upstream-") as temporary:
        try:
            if not can_be_alone():
                print("These suites are not cut off from the network: that needs root, unshare and ip.", file=sys.stderr)
            wheel = given.wheel or built(Path(temporary))
            for name in given.names or names():
                suite = read(name)
                directory = (given.keep or Path(temporary)) / name
                directory.mkdir(parents=True)
                verdict = examine(Prepared(suite, wheel.resolve(), directory))
                good, bad = (good, bad + 1) if verdict.faults else (good + 1, bad)
                if given.write and not verdict.faults:
                    page.write(row(suite, verdict))
        except SuiteError as error:
            print(error, file=sys.stderr)
            bad += 1
    print(f"{good} passed, {bad} failed")
    return 1 if bad else 0


def row(suite: Suite, verdict: Verdict) -> page.Row:
    known = {mode: len(tests) for mode, tests in verdict.known.items()}
    return page.Row(suite.name, suite.version or sys.version.split()[0], verdict.counts, known, len(verdict.unsteady))


def built(directory: Path) -> Path:
    """A wheel of the working tree."""
    run("uv", "build", "-q", "--wheel", "-o", str(directory / "dist"), str(HERE.parents[1]))
    (wheel,) = (directory / "dist").glob("*.whl")
    return wheel


if __name__ == "__main__":
    sys.exit(main())
