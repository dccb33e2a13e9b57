"""The lane report: what the tests of a run did with their meshes, as a page to look at, or for other programs.

``snapshot`` takes a picture of one test's mesh; ``LaneReport`` collects them and writes HTML, JSON, JUnit XML or Mermaid.
"""

from __future__ import annotations

from .lane_report import LaneReport, check
from .picture import snapshot

__all__ = ["LaneReport", "check", "snapshot"]
