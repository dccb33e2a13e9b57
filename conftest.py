"""Runs what the documentation shows: every Python block, every console block, every block taken from a file.

- ```` ```python ```` is executed, a page's blocks one after another; after ``<!-- file: PATH -->`` it must instead stand in
  that file, which the tests run.
- ```` ```console ```` lines that start with ``$ lanebaggage`` or ``$ python`` are run in the repository's root, and what they
  print must match what is shown, where ``...`` stands for anything.
- ``<!-- skip: next "why" -->`` leaves out the next block, with its reason.
"""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

import lanebaggage

if TYPE_CHECKING:
    from sybil import Document, Example

HERE = Path(__file__).parent
_FILE = re.compile(r"<!-- file: (\S+) -->\s*\Z")


class PythonBlocks(PythonCodeBlockParser):
    """Python blocks, those taken from a file included."""

    def __call__(self, document: Document) -> Any:
        for region in super().__call__(document):
            if taken := _FILE.search(document.text[max(0, region.start - 200) : region.start]):
                region.evaluator = stands_in(taken[1])
            yield region


def stands_in(path: str) -> Any:
    """An evaluator that looks a block up in a file, whatever their indentation."""

    def evaluate(example: Example) -> str | None:
        shown = " ".join(example.parsed.split())
        there = " ".join((HERE / path).read_text(encoding="utf-8").split())
        return None if shown in there else f"this block no longer stands in {path}"

    return evaluate


def run_console(example: Example) -> str | None:
    """Run each command of a console block and compare what it prints."""
    commands = re.split(r"^\$ ", textwrap.dedent(example.parsed), flags=re.MULTILINE)[1:]
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }
    for block in commands:
        command, _, expected = block.partition("\n")
        if not command.startswith(("lanebaggage", "python")):
            continue
        done = subprocess.run(
            command, shell=True, capture_output=True, text=True, cwd=HERE, env=environ, timeout=120, check=False
        )
        printed = [line.rstrip() for line in (done.stdout + done.stderr).strip().splitlines()]
        wanted = [line.rstrip() for line in expected.strip().splitlines()]
        if not _matches(wanted, printed):
            return f"$ {command}\nprinted:\n" + "\n".join(printed) + "\nshown:\n" + "\n".join(wanted)
    return None


def _matches(wanted: list[str], printed: list[str]) -> bool:
    def pattern(line: str) -> str:
        return fnmatch.translate(line.replace("[", "[[]").replace("?", "[?]").replace("*", "[*]").replace("...", "*"))[:-2]

    text = "".join(r"(?:.*\n)*?" if line.strip() == "..." else pattern(line) + r"\n" for line in wanted)
    return re.fullmatch(text, "".join(f"{line}\n" for line in printed)) is not None


def _console(document: Document) -> Any:
    return CodeBlockParser("console", run_console)(document)


def _undo(namespace: dict[str, Any]) -> None:
    lanebaggage.uninstrument()


pytest_collect_file = Sybil(
    parsers=[PythonBlocks(), _console, SkipParser()], patterns=["*.md"], excludes=["CHANGELOG.md"], teardown=_undo
).pytest()
