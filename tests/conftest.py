"""What every test gets: no settings from the environment, and nothing instrumented, carried or logged left behind."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

import lanebaggage
from lanebaggage import _log, _runtime, _settings
from lanebaggage._context import CARRIED, UNSET

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["support.brokers", "support.coverage_table", "support.names"]


def pytest_configure() -> None:
    for name in [name for name in os.environ if name.startswith("LANEBAGGAGE_") or name.upper().endswith("_PROXY")]:
        del os.environ[name]


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    CARRIED.set(UNSET)
    yield
    lanebaggage.uninstrument()
    _runtime.activate(_settings.resolve(environ={}))
    _log.forget()
    CARRIED.set(UNSET)


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """Frameworks configure logging: Celery's test worker raises the root's level, a dictConfig() may disable what exists."""
    loggers = [logging.getLogger(name) for name in (None, _log.LOGGER_NAME)]
    before = [(logger.level, logger.disabled, logger.propagate, list(logger.handlers)) for logger in loggers]
    below = logging.root.manager.disable
    yield
    logging.disable(below)
    for logger, (level, disabled, propagate, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.disabled, logger.propagate, logger.handlers[:] = disabled, propagate, handlers
