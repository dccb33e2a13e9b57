"""Starts two of the services, sends a request in lane s2 and one in no lane, and prints what the services printed."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import Request, urlopen

SERVICE = Path(__file__).with_name("service.py")
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def free_port():
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def start(name, port, upstream=""):
    """Start one service."""
    environ = {**os.environ, "app": name, "upstream_url": upstream, "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, SERVICE], env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def listening(port, process):
    """Wait until a service takes connections."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    sys.exit(f"a service ended with status {process.returncode}")


def main():
    """Run the chain."""
    port_a, port_b = free_port(), free_port()
    services = [start("mockb", port_b), start("mocka", port_a, f"http://127.0.0.1:{port_b}/")]
    try:
        for port, process in zip((port_b, port_a), services, strict=True):
            listening(port, process)
        for headers in ({"x-asm-prefer-tag": "s2"}, {}):
            urlopen(Request(f"http://127.0.0.1:{port_a}/", headers={"traceparent": TRACE, **headers})).read()
    finally:
        for process in services:
            process.terminate()
    for process in reversed(services):
        print("".join(line for line in process.communicate()[0].splitlines(True) if line.startswith("mock")), end="")


if __name__ == "__main__":
    main()
