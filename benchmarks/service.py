"""The services of the throughput measurement: a FastAPI and a Flask view that answer with JSON."""

from __future__ import annotations

from fastapi import FastAPI
from flask import Flask

asgi = FastAPI()
wsgi = Flask(__name__)


@asgi.get("/")
async def view_asgi() -> dict[str, str]:
    return {"ok": "yes"}


@wsgi.get("/")
def view_wsgi() -> dict[str, str]:
    return {"ok": "yes"}
