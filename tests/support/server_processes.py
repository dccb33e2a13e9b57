"""Server processes under test: how each is started on a socket that the test listens on, and asked."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = str(Path(__file__).parents[1])
ON = "import lanebaggage; lanebaggage.auto_instrument(); "
SERVICE = "support.server_service"


@dataclass
class Process:
    """A column of the table: one server in one way of running it."""

    distribution: str
    arguments: str
    """Of the command, or Python code; FD stands for the listening socket, APP for the application, UDS for a path."""
    app: str = "wsgi"
    keeps: bool = True
    """Whether it keeps connections."""
    code: bool = False
    """Whether to run the code, which ``auto_instrument()`` goes before; otherwise the application calls it."""
    http2: bool = False
    """Whether it speaks HTTP/2 without TLS, too."""

    @contextmanager
    def running(self, directory: Path, downstream: int, **variables: str) -> Iterator[Served]:
        uds = directory / "s"
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        fd = listener.fileno()
        words = self.arguments.replace("FD", str(fd)).replace("APP", f"{SERVICE}:{self.app}").replace("UDS", str(uds))
        command = [sys.executable, "-c", ON + words] if self.code else [sys.executable, *words.split()]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("LANEBAGGAGE", "COV"))}
        environment |= {"DOWNSTREAM": str(downstream), "PYTHONPATH": TESTS, "PYTHONUNBUFFERED": "1", "HOME": str(directory)}
        environment |= variables
        environment["SWITCHED_ON"] = "before" if self.code else "by the application"
        settings = ["control_socket_disable = True", 'http_protocols, http2_cleartext = "h2,h1", "both"'][: 1 + self.http2]
        (directory / "gunicorn.conf.py").write_text("\n".join(settings))  # older versions ignore what they do not know
        log = directory / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(fd,),
                start_new_session=True,
            )
        port = int(listener.getsockname()[1])
        listener.close()
        try:
            yield Served(port, uds if "UDS" in self.arguments else None, process, log)
        finally:
            process.terminate()
            try:
                process.wait(10)
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass


class _Local(http.client.HTTPConnection):
    """Connects to a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("127.0.0.1", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(str(self.path))


@dataclass
class Served:
    """A server that runs."""

    port: int
    uds: Path | None
    process: subprocess.Popen[bytes]
    log: Path

    def connect(self) -> http.client.HTTPConnection:
        """A connection; a server that makes its own socket is waited for."""
        if self.uds is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while self.process.poll() is None:
            connection = _Local(self.uds)
            try:
                connection.connect()
                return connection
            except OSError:
                pass
        raise AssertionError(self.log.read_text())

    def websocket(self, headers: list[tuple[str, str]]) -> Any:
        from websockets.sync.client import connect, unix_connect

        if self.uds is None:
            return connect(f"ws://127.0.0.1:{self.port}/ws", additional_headers=headers)
        self.connect().close()
        return unix_connect(str(self.uds), "ws://127.0.0.1/ws", additional_headers=headers)


GUNICORN = "-m gunicorn -b fd://FD APP -k "
GUNICORN_CODE = "import sys; sys.argv[1:] = '-b fd://FD APP {}'.split(); from gunicorn.app.wsgiapp import run; run()"
UVICORN = "-m uvicorn --fd FD APP "
UWSGI = "import sys, pyuwsgi; sys.argv[1:] = '--http-socket fd://FD {} --need-app --die-on-term'.split(); pyuwsgi.run()"
SOCK = "import socket; sock = socket.socket(fileno=FD); from support.server_service import wsgi; "

ZTTP = {}
if sys.version_info >= (3, 11):  # zttp needs that
    ZTTP["uvicorn zttp"] = Process("uvicorn", UVICORN + "--http zttp --http2", app="asgi", http2=True)

PROCESSES = {
    "gunicorn sync": Process("gunicorn", GUNICORN + "sync", keeps=False),
    "gunicorn sync --preload": Process("gunicorn", GUNICORN_CODE.format("-k sync --preload"), keeps=False, code=True),
    "gunicorn gthread": Process("gunicorn", GUNICORN_CODE.format("-k gthread --threads 2"), code=True, http2=True),
    "gunicorn gthread --preload": Process("gunicorn", GUNICORN + "gthread --threads 2 --preload"),
    "gunicorn gevent": Process("gunicorn", GUNICORN + "gevent", http2=True),
    "gunicorn gevent --preload": Process("gunicorn", GUNICORN + "gevent --preload"),
    "gunicorn gevent_pywsgi": Process("gevent", GUNICORN + "gevent_pywsgi"),
    "gunicorn tornado": Process("gunicorn", GUNICORN + "tornado"),
    "gunicorn asgi": Process("gunicorn", GUNICORN + "asgi", app="asgi", http2=True),
    "uvicorn": Process(
        "uvicorn", "import sys; sys.argv[1:] = '--fd FD APP'.split(); import uvicorn; uvicorn.main()", app="asgi", code=True
    ),
    "uvicorn h11, wsproto": Process("uvicorn", UVICORN + "--http h11 --ws wsproto", app="asgi"),
    **ZTTP,
    "uvicorn --workers": Process("uvicorn", UVICORN + "--workers 2", app="asgi"),
    "uvicorn --reload": Process("uvicorn", UVICORN + "--reload", app="asgi"),
    "uvicorn --interface wsgi": Process("uvicorn", UVICORN + "--interface wsgi"),
    "hypercorn": Process("hypercorn", "-m hypercorn -b fd://FD APP", app="asgi", http2=True),
    "hypercorn trio": Process("hypercorn", "-m hypercorn -k trio -b fd://FD APP", app="asgi", http2=True),
    "hypercorn WSGI": Process("hypercorn", "-m hypercorn -b fd://FD wsgi:APP", http2=True),
    "granian": Process("granian", "-m granian --uds UDS --interface asgi APP", app="asgi", http2=True),
    "granian RSGI": Process("granian", "-m granian --uds UDS --interface rsgi APP", app="rsgi", http2=True),
    "granian WSGI": Process("granian", "-m granian --uds UDS --interface wsgi APP", http2=True),
    "waitress": Process("waitress", SOCK + "import waitress; waitress.serve(wsgi, sockets=[sock])", code=True),
    "werkzeug": Process(
        "werkzeug",
        SOCK + "from werkzeug.serving import make_server; make_server('127.0.0.1', 0, wsgi, fd=sock.fileno()).serve_forever()",
        keeps=False,
        code=True,
    ),
    "wsgiref": Process(
        "",
        SOCK + "from wsgiref.simple_server import make_server; server = make_server('127.0.0.1', 0, wsgi); "
        "server.socket.close(); server.socket = sock; server.serve_forever()",
        keeps=False,
        code=True,
    ),
    "gevent.pywsgi": Process(
        "gevent",
        "from gevent import monkey; monkey.patch_all(); "
        + SOCK
        + "from gevent.pywsgi import WSGIServer; WSGIServer(sock, wsgi).serve_forever()",
        code=True,
    ),
    "uWSGI": Process("pyuwsgi", UWSGI.format("--module APP"), keeps=False, code=True),
    "uWSGI --wsgi-file --lazy-apps": Process(
        "pyuwsgi",
        UWSGI.format(f"--wsgi-file {TESTS}/support/server_service.py --callable wsgi --master --lazy-apps"),
        keeps=False,
        code=True,
    ),
    "uWSGI, wsgi_middleware": Process("pyuwsgi", UWSGI.format("--module APP"), app="wsgi_by_hand", keeps=False, code=True),
}
