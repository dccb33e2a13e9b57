"""A service that runs as a process: started with a port and its sidecar's address, ended with all that it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .._errors import MeshError
from .._launcher.names import VARIABLE as NAMES
from . import _watchdog
from .apps import Command
from .hops import HOP_HEADER

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from ..routing import ServiceRef
    from .topology import Instance

START_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.01
_END_SECONDS: Final = 3.0
_SHOWN: Final = 4096
"""Bytes of a process's output in a message."""

_PROXIES: Final = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy")
_LOCAL: Final = "127.0.0.1,localhost,::1"
_UNBUFFERED: Final = {"PYTHONUNBUFFERED": "1"}
"""What a Python program prints is there at once, though it goes to no terminal."""


class Process:
    """One instance's process.

    :param instance: its app is a :class:`Command`.
    :param env: variables of the mesh.
    :param addresses: ``host:port`` of the sidecar's listener for each other service, by its name.
    :raises MeshError: the program cannot be started.
    """

    def __init__(self, instance: Instance, env: Mapping[str, str], addresses: Mapping[str, str]) -> None:
        assert isinstance(instance.app, Command)
        self._instance = instance
        host, port = instance.address = instance.address or ("127.0.0.1", free_port())
        values = {"host": host, "port": str(port), "bind": f"{host}:{port}", **addresses}
        try:
            args = [argument.format_map(values) for argument in instance.app.args]
        except (KeyError, ValueError, IndexError) as error:
            raise MeshError(
                f"{instance}: the command {' '.join(instance.app.args)!r} has {error} in braces; known are "
                f"{', '.join(values)}; write {{{{ and }}}} for braces of its own"
            ) from error
        self.variables = env
        """Of the mesh, as it was started with."""
        self._printed = ""
        self._told = 0
        kept = {name: value for name, value in os.environ.items() if name not in _PROXIES}
        given = instance.app.env
        own = {**{other: given[name] for name in _PROXIES if name in given for other in (name.lower(), name.upper())}, **given}
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        try:
            self._process = subprocess.Popen(  # noqa: S603 - what the user declared
                args,
                env={
                    **_UNBUFFERED,
                    **kept,
                    "PATH": _programs(),
                    "NO_PROXY": _LOCAL,
                    "no_proxy": _LOCAL,
                    "PORT": str(port),
                    **env,
                    **own,
                },
                cwd=instance.app.cwd,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that a server's workers can be ended with it
            )
        except OSError as error:
            self._output.close()
            raise MeshError(f"{instance} cannot be started: {error}") from error
        _watchdog.watch(f"-{self._process.pid}")

    def wait(self, given_up: threading.Event) -> None:
        """Wait until it listens.

        :param given_up: set when nobody waits for it any more; it is ended then.
        :raises MeshError: it ended, or did not listen in time; with the last it printed.
        """
        assert self._instance.address is not None
        until = time.monotonic() + START_SECONDS
        while True:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(self._instance.address) == 0:
                    return
            if self._process.poll() is not None:
                raise MeshError(f"{self._instance} ended with status {self._process.returncode} as it started{self._last()}")
            if given_up.is_set():
                self.stop()
                raise MeshError(f"{self._instance} was ended as it started, since another service failed")
            if time.monotonic() > until:
                self.stop()
                raise MeshError(
                    f"{self._instance} did not listen on port {self._instance.address[1]} within {START_SECONDS:g} s; "
                    f"put {{bind}} or {{port}} into its command, or have it read PORT{self._last()}"
                )
            try:
                self._process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                continue

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status is None

    @property
    def status(self) -> int | None:
        """What it ended with, the number of a signal with a minus before it; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """End it with every process of its group."""
        if self._output.closed:  # done already, and its number may be another's by now
            return
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        self._process.wait()
        _watchdog.forget(f"-{self._process.pid}")
        self._printed = self.output()
        self._output.close()

    def output(self) -> str:
        """The last that it printed."""
        if self._output.closed:
            return self._printed
        return self._read(max(0, self._size - _SHOWN)).decode("utf-8", "replace").strip()

    def lines(self) -> list[str]:
        """What it printed since this was asked last, as far as lines are complete; the rest too once it has ended."""
        if self._output.closed:
            return []
        ended = not self.running
        new = self._read(self._told)
        whole = new if ended else new[: new.rfind(b"\n") + 1]
        self._told += len(whole)
        return whole.decode("utf-8", "replace").splitlines()

    @property
    def _size(self) -> int:
        return os.fstat(self._output.fileno()).st_size

    def _read(self, start: int) -> bytes:
        if hasattr(os, "pread"):  # leaves alone the position that is shared with the process, where it prints next
            return os.pread(self._output.fileno(), max(0, self._size - start), start)
        self._output.seek(start)
        return self._output.read()

    def _last(self) -> str:
        text = self.output()
        return f":\n{text}" if text else "; it printed nothing"

    def _signal(self, number: int) -> None:
        try:
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)
        except (ProcessLookupError, PermissionError):  # it has gone
            pass


def variables(
    sidecar: tuple[str, int], addresses: Mapping[ServiceRef, tuple[str, int]], headers: Mapping[str, str]
) -> dict[str, str]:
    """The environment by which a process finds its sidecar and its services, and knows what to forward.

    :param sidecar: the address of its sidecar, which is its proxy for http.
    :param addresses: of the sidecar's listener for each other service; named as Kubernetes names a service's variables
        (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
    :param headers: the lane group's, as arguments of ``auto_instrument``.
    """
    proxy = f"http://{sidecar[0]}:{sidecar[1]}"
    env = {"HTTP_PROXY": proxy, "http_proxy": proxy}
    for service, (host, port) in addresses.items():
        name = service.name.upper().replace("-", "_")
        env[f"{name}_SERVICE_HOST"], env[f"{name}_SERVICE_PORT"] = host, str(port)
    names = [f"{service.name}.{service.namespace}={host}:{port}" for service, (host, port) in addresses.items()]
    env[NAMES] = ",".join(names)
    passed = os.environ.get("LANEBAGGAGE_PASS_THROUGH", "")
    env["LANEBAGGAGE_PASS_THROUGH"] = ",".join(filter(None, (passed, HOP_HEADER)))
    for name, header in headers.items():
        variable = f"LANEBAGGAGE_{name.upper()}"
        if variable not in os.environ:
            env[variable] = header
    return env


def _programs() -> str:
    """The ``PATH``, with the scripts of this environment first: pytest may run in one that nobody activated."""
    path = os.environ.get("PATH", os.defpath)
    own = str(Path(sys.executable).parent)
    return path if own in path.split(os.pathsep) else f"{own}{os.pathsep}{path}"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        found: Any = probe.getsockname()[1]
    return int(found)
