"""Settings for Django's own suite: those of its ``test_sqlite``, with a runner that notes each outcome."""

from __future__ import annotations

import upstream_modes

upstream_modes.watch()

from test_sqlite import *  # noqa: E402, F403 - whatever stands there

TEST_RUNNER = "upstream_django_runner.Runner"
