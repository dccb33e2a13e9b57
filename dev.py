"""Run a development session on a machine that has nothing but Python 3.10: ``python3 dev.py tests``, ``python3 dev.py demo``.

Makes a virtual environment of its own in .dev/ with nox and uv in it, once, and hands over to ``nox -s SESSION``; what the
session needs, nox installs. Nothing outside this directory is touched, so that an externally managed Python is as good.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / ".dev"
TOOLS = ["nox>=2025.2.9", "uv>=0.5"]


def python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make() -> None:
    """Create the environment: with ensurepip where there is one, else with the pip of this Python."""
    python = python_of(ENVIRONMENT)
    own_pip = importlib.util.find_spec("ensurepip") is not None
    other_pip = importlib.util.find_spec("pip") is not None
    if not own_pip and not other_pip:
        sys.exit(
            "This Python has neither ensurepip nor pip. Debian and Ubuntu: apt-get install python3-venv; then run this again."
        )
    print("Setting up nox in .dev/ (once) ...", file=sys.stderr, flush=True)
    without = [] if own_pip else ["--without-pip"]
    subprocess.run([sys.executable, "-m", "venv", "--clear", *without, str(ENVIRONMENT)], check=True)
    pip = [str(python), "-m", "pip"] if own_pip else [sys.executable, "-m", "pip", "--python", str(python)]
    subprocess.run([*pip, "install", "--quiet", "--disable-pip-version-check", *TOOLS], check=True)
    (ENVIRONMENT / "complete").touch()


def index_of_pip() -> str:
    """The package index that this machine's pip is set to, which uv would not ask for."""
    found = subprocess.run(
        [str(python_of(ENVIRONMENT)), "-m", "pip", "config", "get", "global.index-url"],
        capture_output=True,
        text=True,
        check=False,
    )
    return os.environ.get("PIP_INDEX_URL") or found.stdout.strip()


def main() -> int:
    sessions = sys.argv[1:] or ["tests"]
    if sys.version_info < (3, 10):
        sys.exit(f"lanebaggage needs Python 3.10 or later; this is {sys.version.split()[0]}")
    if not (ENVIRONMENT / "complete").exists():
        try:
            make()
        except subprocess.CalledProcessError as error:
            return error.returncode or 1
    environ = {**os.environ, "UV_SYSTEM_CERTS": "1"}
    if index := index_of_pip():
        environ.setdefault("UV_DEFAULT_INDEX", index)
    extra = []
    if "--" in sessions:
        at = sessions.index("--")
        sessions, extra = sessions[:at], sessions[at:]
    command = [str(python_of(ENVIRONMENT)), "-m", "nox", "-f", str(HERE / "noxfile.py"), "-s", *sessions, *extra]
    return subprocess.run(command, env=environ, cwd=HERE, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
