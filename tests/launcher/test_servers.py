"""Servers under the launcher, with their workers, preloading and reloaders: a service that forwards nothing keeps the lane."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from matrix.client_case import closed_port

from .conftest import environment

if TYPE_CHECKING:
    from pathlib import Path

    from support.recorder import Recorder

PY = sys.executable
BIND = ["-b", "127.0.0.1:0"]
UWSGI = ["uwsgi", "--http-socket", "127.0.0.1:0", "--die-on-term"]

SERVERS = {
    "gunicorn": ["gunicorn", "service:app", *BIND],
    "gunicorn preload": ["gunicorn", "service:app", *BIND, "--preload", "-w", "2"],
    "gunicorn gthread": ["gunicorn", "service:app", *BIND, "--threads", "2"],
    "gunicorn gevent": ["gunicorn", "service:app", *BIND, "-k", "gevent"],
    "uvicorn": ["uvicorn", "service:api", "--port", "0"],
    "uvicorn by module": [PY, "-m", "uvicorn", "service:api", "--port", "0"],
    "uvicorn reload": ["uvicorn", "service:api", "--port", "0", "--reload"],
    "uvicorn workers": ["uvicorn", "service:api", "--port", "0", "--workers", "2"],
    "uwsgi": [*UWSGI, "--wsgi-file", "service.py", "--callable", "app"],
    "uwsgi, bare": [*UWSGI, "--wsgi-file", "service.py", "--callable", "wsgi"],
    # one worker: uWSGI's and granian's that is still starting, beside the one that answers, misses the SIGTERM
    "uwsgi, bare, loaded by its worker": [*UWSGI, "--module", "service:wsgi", "--master", "--lazy-apps"],
    "gunicorn, bare": ["gunicorn", "service:wsgi", *BIND],
    "gunicorn gthread preload, bare": ["gunicorn", "service:wsgi", *BIND, "--preload", "--threads", "2"],
    "gunicorn gevent preload": ["gunicorn", "service:app", *BIND, "--preload", "-k", "gevent"],
    "hypercorn workers, bare": ["hypercorn", "service:bare", *BIND, "-w", "2"],
    "granian, bare": ["granian", "service:bare", "--interface", "asgi", "--port", "PORT"],
    "waitress, bare": ["waitress-serve", "--listen", "127.0.0.1:0", "service:wsgi"],
    "uvicorn, bare, workers": ["uvicorn", "service:bare", "--port", "0", "--workers", "2"],
    "flask run": ["flask", "--app", "service", "run", "--port", "0"],
    "flask debug": ["flask", "--app", "service", "run", "--port", "0", "--debug"],
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_service_keeps_the_lane(serve: Any, upstream: Recorder, name: str) -> None:
    """Each request's lane reaches what the service calls, exactly once, and a request without one brings none."""
    command = [str(closed_port()) if word == "PORT" else word for word in SERVERS[name]]
    with serve(*command) as get:
        answers = [get(lane) for lane in ("s2", "s3", None)]
    assert [answer.split()[0] for answer in answers] == ["s2", "s3", "None"], "".join(get.log)
    assert upstream.values() == [["s2"], ["s3"], []]
    warned = [line for line in get.log if "lanebaggage" in line or "Warning" in line]
    assert [line for line in warned if "forkpty" not in line] == []


def test_a_reloaded_process_is_on_as_well(serve: Any, upstream: Recorder, tmp_path: Path) -> None:
    """After uvicorn has started its process anew for a changed file, the new one keeps the lane too."""
    with serve(*SERVERS["uvicorn reload"], "--reload-delay", "0.05") as get:
        get.until("Application startup complete")
        first = get().split()
        service = tmp_path / "service.py"
        service.write_text(service.read_text() + "\n")
        get.until("Application startup complete")
        second = get().split()
    assert (first[0], second[0]) == ("s2", "s2")
    assert first[1] != second[1]
    assert {tuple(values) for values in upstream.values()} == {("s2",)}


def test_terminating_the_launched_server_ends_it(serve: Any) -> None:
    """SIGTERM to the launcher's process is the server's: gunicorn shuts down in order, with status 0."""
    with serve(*SERVERS["gunicorn"]) as get:
        get()
        get.process.terminate()
        assert get.process.wait(30) == 0
    assert "Shutting down: Master" in "".join(get.log)


def test_the_hooks_variable_serves_as_well(serve: Any, upstream: Recorder) -> None:
    """A server started by ``python -m lanebaggage run`` through a shell script that sets a path of its own keeps the lane."""
    script = "PYTHONPATH=.:$PYTHONPATH exec gunicorn service:app -b 127.0.0.1:0"
    with serve("sh", "-c", script) as get:
        get("s4")
    assert upstream.values() == [["s4"]]


GEVENT = """
from gevent import monkey
monkey.patch_all()
import gevent, threading, lanebaggage
from concurrent.futures import ThreadPoolExecutor
assert threading.Thread.start.__module__ == "threading"
found = []
with lanebaggage.lane("s2"):
    thread = threading.Thread(target=lambda: found.append(lanebaggage.current_lane())); thread.start(); thread.join()
    with ThreadPoolExecutor(1) as pool:
        found.append(pool.submit(lanebaggage.current_lane).result())
print(*found, type(threading.current_thread()).__name__)
"""


def test_gevent_may_patch_afterwards(run: Any) -> None:
    """gevent's monkey-patching, after lanebaggage was switched on, does no harm and gives no warning."""
    done = run(PY, "-W", "error", "-c", GEVENT)
    assert (done.stdout, done.stderr) == ("s2 s2 _MainThread\n", "")


DJANGO = """
import sys
print("django" in sys.modules)
from django.conf import settings
print(settings.configured)
settings.configure(DEBUG=True)
import django; django.setup()
print(settings.MIDDLEWARE)
"""


def test_no_frameworks_settings_are_touched(run: Any) -> None:
    """Django is not imported, its settings are not read, and its middleware list stays the program's."""
    done = run(PY, "-c", DJANGO)
    assert (done.stdout, done.stderr) == ("False\nFalse\n[]\n", "")


def test_the_start_up_cost_is_that_of_the_core(tmp_path: Path) -> None:
    """The launched process imports no more modules than ``auto_instrument()`` does, but for the launcher's own."""
    code = "import sys; print(len(sys.modules))"
    own = subprocess.run(
        [PY, "-c", f"import lanebaggage; lanebaggage.auto_instrument(); {code}"],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    launched = subprocess.run(
        [PY, "-m", "lanebaggage", "run", PY, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    launcher = ["", ".options", ".python", ".start", ".children"]
    assert int(launched.stdout) - int(own.stdout) == len(launcher) + len(["sitecustomize"])
    assert os.environ.get("PYTHONPATH", "").count("_launcher") == 0


TASKS = """
import os
from urllib.request import urlopen
from celery import Celery

app = Celery("tasks", broker="filesystem://")
app.conf.update(broker_transport_options={name: "queue" for name in ("data_folder_in", "data_folder_out", "control_folder")})

@app.task
def call():
    urlopen(os.environ["UPSTREAM"] + str(os.getpid())).read()
"""
SEND = """
import lanebaggage, tasks
for lane in ("s2", "s3", None):
    with lanebaggage.lane(lane):
        tasks.call.delay()
"""


def test_a_prefork_worker_keeps_each_tasks_lane(serve: Any, run: Any, upstream: Recorder, tmp_path: Path) -> None:
    """Celery's pool of forked processes is reached, and a task runs in the lane of whoever sent it."""
    (tmp_path / "queue").mkdir()
    (tmp_path / "tasks.py").write_text(TASKS)
    assert run(PY, "-c", SEND).stderr == ""
    worker = [
        "celery",
        "-A",
        "tasks",
        "worker",
        "-P",
        "prefork",
        "-c",
        "1",
        "-l",
        "INFO",
        "--without-mingle",
        "--without-gossip",
    ]
    with serve(*worker, port=False) as celery:
        for _ in range(3):
            celery.until("succeeded")
    assert sorted(upstream.values()) == [[], ["s2"], ["s3"]]
    assert {request.path for request in upstream.requests} != {f"/{celery.process.pid}"}
