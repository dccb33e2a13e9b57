"""Three calls, for the page on logs: one into the mesh, one out of it, one from a worker thread."""

import threading

import lanebaggage


def call(host: str) -> None:
    """Ask for the headers of one call."""
    lanebaggage.inject({}, url=f"http://{host}/")


with lanebaggage.lane("s2"):
    call("mockb")
    call("api.partner.example")
    worker = threading.Thread(target=call, args=("mockb",), name="flusher", daemon=True)
    worker.start()
    worker.join()
