"""The shop: an ordinary Flask service that asks the stock service, and tells the audit service from a thread of its own."""

from __future__ import annotations

import queue
import threading

import requests
from flask import Flask

import lanebaggage

lanebaggage.auto_instrument()

app = Flask(__name__)
jobs: queue.Queue = queue.Queue()


@app.get("/article/<name>")
def article(name: str) -> dict:
    stock = requests.get(f"http://stock:8000/stock/{name}", timeout=5).json()
    return {"article": name, "available": stock["count"] > 0}


@app.post("/order/<name>")
def order(name: str) -> tuple[str, int]:
    done = threading.Event()
    jobs.put((audit, name, done))
    done.wait()
    return "", 201


def audit(name: str, done: threading.Event) -> None:
    requests.post(f"http://audit:8000/{name}", timeout=5)
    done.set()


def worker() -> None:
    while True:
        job, *arguments = jobs.get()
        job(*arguments)


threading.Thread(target=worker, daemon=True, name="worker").start()
