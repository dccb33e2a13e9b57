"""Random tests have no deadline: how long one takes depends on what else the machine does."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("lanebaggage", deadline=None)
settings.load_profile("lanebaggage")
