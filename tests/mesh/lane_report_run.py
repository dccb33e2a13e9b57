"""A realistic run for the lane report: the mock chain in three lanes, with fallbacks, faults, a partner and lost lanes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import requests
from flask import Flask

import lanebaggage
from lanebaggage.mesh import Mesh
from lanebaggage.mesh.reporting import LaneReport, snapshot
from mesh.chain import ACCEPTANCE, declare, instrument, module

if TYPE_CHECKING:
    from collections.abc import Callable

LANES = {"s1": "v1", "s2": "v2", "s3": "v3"}
FILE = "tests/shop/test_lanes.py"


def checkout(version: str) -> Flask:
    """A service that fans out: to the chain, to a partner, and from a thread that nobody gave the lane."""
    app = Flask(f"checkout {version}")

    @app.get("/checkout")
    def _checkout() -> str:
        requests.get("http://mocka/stock?item=42", timeout=5)
        requests.get("http://api.partner.example/pay", timeout=5)
        return "done"

    @app.get("/receipt")
    def _receipt() -> str:
        def send() -> None:
            requests.get("http://mockb/mail", timeout=5, headers={"x-asm-prefer-tag": "s3"})

        worker = threading.Thread(target=send, name="mailer")
        worker.start()
        worker.join()
        requests.get("http://mocka/stock?item=42", timeout=5)
        return "sent"

    return app


def shop(mesh: Mesh) -> None:
    """The chain as ASM's documentation has it (mocka v1 v2, mockb v1 v3, mockc v1 v2), and a service before it."""
    mesh.service("checkout", {version: checkout(version) for version in ("v1", "v2")})
    mocks = {"mocka": ("v1", "v2"), "mockb": ("v1", "v3"), "mockc": ("v1", "v2")}
    upstream = {"mocka": "http://mockb/", "mockb": "http://mockc/", "mockc": ""}
    for service, versions in mocks.items():
        app = module("flask_requests").create_app
        mesh.service(service, {version: app(service, version, upstream[service]) for version in versions})
    mesh.lanes(LANES, baseline="s1", entry="checkout")
    mesh.external("api.partner.example", json={"paid": True})
    instrument(mesh)


def _each_lane(mesh: Mesh) -> None:
    shop(mesh)
    for lane in LANES:
        mesh.get("checkout", "/checkout", lane=lane)


def _stopped(mesh: Mesh) -> None:
    shop(mesh)
    with mesh.stop("mockc", lane="s2"):
        mesh.get("checkout", "/checkout", lane="s2")


def _receipt(mesh: Mesh) -> None:
    shop(mesh)
    mesh.get("checkout", "/receipt", lane="s2")


def _nothing_instrumented(mesh: Mesh) -> None:
    declare(mesh)
    mesh.load(ACCEPTANCE / "service-fallback" / "lanes.yaml")
    lanebaggage.uninstrument()
    mesh.get("mocka", "/", lane="s2")


def _faults(mesh: Mesh) -> None:
    shop(mesh)
    with mesh.fail("mockb", 503, lane="s3"):
        mesh.get("mocka", "/", lane="s3")
    with mesh.stop("mockc"):
        mesh.get("mocka", "/", lane="s2")


def _permitted(mesh: Mesh) -> None:
    shop(mesh)
    mesh.allow_lost("mockb")
    mesh.get("checkout", "/receipt", lane="s2")


def _strict(mesh: Mesh) -> None:
    declare(mesh)
    mesh.load(ACCEPTANCE / "strict" / "lanes.yaml")
    mesh.get("mocka", "/", lane="s2")


def _nothing(mesh: Mesh) -> None:
    shop(mesh)


RUN: dict[str, tuple[str, Callable[[Mesh], None], str]] = {
    "test_each_lane_takes_its_own_path": ("passed", _each_lane, ""),
    "TestFallback::test_a_stopped_service_falls_back[mockc-s2]": ("passed", _stopped, ""),
    "test_the_receipt_is_sent_in_the_lane": ("failed", _receipt, "the lane was lost at mockb"),
    "test_before_lanebaggage": ("failed", _nothing_instrumented, "the lane was lost at mockb"),
    "test_an_outage_is_told": ("failed", _faults, "assert 503 == 200\n +  where 503 = <GET mocka/: 503>.status"),
    "test_mail_may_leave_the_lane": ("passed", _permitted, ""),
    "test_strict_lanes_stay_apart": ("passed", _strict, ""),
    "test_a_page_without_calls": ("skipped", _nothing, "no database"),
}
"""Outcome, what is done and the message, by the test's name."""


def pictures(names: tuple[str, ...] = tuple(RUN)) -> dict[str, dict[str, Any]]:
    """The picture of each of these tests."""
    found = {}
    for name in names:
        with Mesh(seed=0) as mesh:
            RUN[name][1](mesh)
            found[name] = snapshot(mesh)
        lanebaggage.uninstrument()
    return found


def run() -> LaneReport:
    """The report of the whole run."""
    report = LaneReport()
    for name, picture in pictures().items():
        outcome, _, message = RUN[name]
        seconds = sum(call["duration"] for call in picture["calls"]) + 0.004
        report.add(f"{FILE}::{name}", outcome, seconds, picture, message=message)
    return report
