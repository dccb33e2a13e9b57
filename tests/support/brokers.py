"""Real brokers for tests: a private RabbitMQ, Redis or Kafka mock cluster, once per session, on free ports of 127.0.0.1.

RabbitMQ and Redis are those of the machine (Debian's ``rabbitmq-server`` and ``redis-server``); Kafka is librdkafka's mock
cluster, in a process of its own. A test asks for ``rabbitmq``, ``redis`` or ``kafka`` and gets an ``Address``. Where a
server is not installed its tests are left out, and the end of the run says how many and what would bring them; with
``LANEBAGGAGE_REQUIRE_BROKERS=1`` they fail instead. So it is with the browser of ``tests/browser``.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUIRED = os.environ.get("LANEBAGGAGE_REQUIRE_BROKERS") == "1"
PACKAGES = {"RabbitMQ": "rabbitmq-server", "Redis": "redis-server", "Chromium": "chromium chromium-driver"}
"""What brings each to the machine."""
_LEFT_OUT = "is not installed here; apt-get install "
_MOCK_CLUSTER = """
import sys
from confluent_kafka import Producer
cluster = Producer({"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1, "log_level": 0})
broker = next(iter(cluster.list_topics(timeout=30).brokers.values()))
print(f"ready {broker.host}:{broker.port}", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Address:
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def amqp(self) -> str:
        return f"amqp://guest:guest@{self}/"

    @property
    def redis(self) -> str:
        return f"redis://{self}/0"


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """RabbitMQ with an epmd and a node of its own, its data in a temporary directory."""
    # Debian's wrapper in PATH insists on its own user
    server = installed("RabbitMQ", "/usr/lib/rabbitmq/bin/rabbitmq-server", shutil.which("rabbitmq-server"))
    home = tmp_path_factory.mktemp("rabbitmq")
    port, epmd_port, distribution_port = _free_ports(3)
    config = home / "rabbitmq.conf"
    config.write_text(f"listeners.tcp.default = 127.0.0.1:{port}\nlog.file.level = error\n")
    environ = {
        **os.environ,
        "HOME": str(home),
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"lanebaggage{port}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution_port),
        "RABBITMQ_MNESIA_BASE": str(home),
        "RABBITMQ_LOG_BASE": str(home),
        "RABBITMQ_CONFIG_FILE": str(config),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none",
    }
    with running([shutil.which("epmd") or "epmd"], environ), running([server], environ, "completed with"):
        yield Address("127.0.0.1", port)


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """Redis that keeps nothing on disk."""
    server = installed("Redis", shutil.which("redis-server"))
    (port,) = _free_ports(1)
    options = f"--bind 127.0.0.1 --port {port} --save '' --dir {tmp_path_factory.mktemp('redis')}".replace("''", "")
    with running([server, *options.split(" ")], dict(os.environ), "Ready to accept connections"):
        yield Address("127.0.0.1", port)


@pytest.fixture(scope="session")
def kafka() -> Iterator[Address]:
    """librdkafka's mock cluster: one broker, four partitions a topic, topics made when first used."""
    with running([sys.executable, "-c", _MOCK_CLUSTER], dict(os.environ), "ready ") as said:
        host, _, port = said.removeprefix("ready ").strip().partition(":")
        yield Address(host, int(port))


def installed(name: str, *programs: str | None) -> str:
    """The first of these programs that is there; without one the test is left out, or fails where brokers are required."""
    found = next((program for program in programs if program is not None and Path(program).exists()), None)
    if found is not None:
        return found
    message = f"{name} {_LEFT_OUT}{PACKAGES[name]}"
    if REQUIRED:
        pytest.fail(f"{message} (LANEBAGGAGE_REQUIRE_BROKERS=1)", pytrace=False)
    pytest.skip(message)


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; the brokers cannot be told to choose."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


@contextmanager
def running(command: list[str], environ: dict[str, str], ready: str = "") -> Iterator[str]:
    """Run a server in a process group of its own until it says that it is ready; yields that line."""
    process = subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if ready else subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    said: list[str] = []
    try:
        while ready and not (said and ready in said[-1]):
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                pytest.fail(f"{command[0]} did not start:\n{''.join(said[-20:])}", pytrace=False)
            said.append(line)
        yield said[-1] if said else ""
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # what it keeps is in a temporary directory; a graceful end takes seconds
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests were left out, and what would bring them."""
    left_out: dict[str, Counter[str]] = {}
    for report in terminalreporter.stats.get("skipped", ()):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        name, found, _ = reason.removeprefix("Skipped: ").partition(f" {_LEFT_OUT}")
        if found:
            left_out.setdefault(name, Counter())[report.nodeid.partition("::")[0]] += 1
    for name, files in left_out.items():
        terminalreporter.line(
            f"left out: {sum(files.values())} tests of {name} ({', '.join(files)}); apt-get install {PACKAGES[name]}"
        )
