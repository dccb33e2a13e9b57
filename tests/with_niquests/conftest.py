"""Collected only where niquests is: it replaces urllib3, so it has an environment of its own (``nox -s tests-niquests``)."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("niquests") else ["test_*.py"]
