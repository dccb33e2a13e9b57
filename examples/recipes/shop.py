"""The same service in Python, without a line of ours: the launcher switches the library on."""

from __future__ import annotations

import requests
from flask import Flask

app = Flask(__name__)


@app.get("/")
def home() -> str:
    return requests.get("http://stock:8000/", timeout=5).text
