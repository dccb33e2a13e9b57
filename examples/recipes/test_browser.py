"""A browser in a lane: Playwright sends the lane's headers with every request of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
from flask import Flask
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from lanebaggage.mesh import Mesh

app = Flask("shop")


@app.get("/")
def home() -> str:
    return """<p id="stock">...</p>
        <script>fetch("/stock").then(r => r.text()).then(text => { document.getElementById("stock").textContent = text })
        </script>"""


@app.get("/stock")
def stock() -> str:
    return requests.get("http://stock:8000/", timeout=5).text


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"])
        yield browser
        browser.close()


@pytest.mark.mesh(engine="sockets")
@pytest.mark.parametrize(("lane", "shown"), [("next", "new"), (None, "old")])
def test_what_a_person_sees_in_a_lane(mesh: Mesh, browser: Browser, lane: str | None, shown: str) -> None:
    mesh.service("shop", v1=app)
    context = browser.new_context(extra_http_headers=mesh.lane_headers(lane))
    page = context.new_page()
    page.goto(str(mesh.gateway))
    page.get_by_text(shown, exact=True).wait_for()
    context.close()
