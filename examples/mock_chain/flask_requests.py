"""The mock service of ASM's traffic-lane documentation, in Flask and requests: prints its hop, calls the next service.

Environment: ``app`` and ``version`` name it, ``upstream_url`` is the next service (none for the last one), ``PORT`` is where
it listens (8000). It forwards no header by hand. ``--without-lanebaggage`` leaves the library out.
"""

import os
import sys

import requests
from flask import Flask


def create_app(app: str, version: str, upstream_url: str = "") -> Flask:
    """One version of one service of the chain."""
    flask = Flask(app)
    hop = f"-> {app}(version: {version}, ip: 127.0.0.1)"

    @flask.get("/", defaults={"path": ""})
    @flask.get("/<path:path>")
    def mock(**_):
        if not upstream_url:
            return hop
        answer = requests.get(upstream_url, timeout=10)
        return hop + answer.text, answer.status_code

    return flask


if __name__ == "__main__":
    if "--without-lanebaggage" not in sys.argv:
        import lanebaggage

        lanebaggage.auto_instrument()
    service = create_app(os.environ["app"], os.environ["version"], os.environ.get("upstream_url", ""))
    service.run("127.0.0.1", int(os.environ.get("PORT", "8000")), threaded=True)
