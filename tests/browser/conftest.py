"""A real Chromium without a window, Debian's, driven by its own chromedriver; where it is missing, its tests are left out."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from support.brokers import installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OPTIONS = (
    "headless no-sandbox disable-gpu no-first-run disable-background-networking disable-component-update disable-sync"
    " hide-scrollbars disable-dev-shm-usage"
)


class Browser:
    """One page in Chromium, with what it asked the network for and what it complained of."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def show(self, page: Path, *, scheme: str = "light", width: int = 1280, height: int = 1000) -> None:
        """Open a page as someone sees it who prefers this colour scheme, in a window of this size."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen", "features": features})
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.get(page.as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def settled(self, script: str, *arguments: Any) -> Any:
        """Run a script once the page has drawn what came before."""
        wait = "const done = arguments[arguments.length - 1]; requestAnimationFrame(() => requestAnimationFrame(() => done("
        return self.driver.execute_async_script(f"{wait}(() => {{ {script} }})())))", *arguments)

    def screenshot(self, path: Path) -> bytes:
        """Take a picture of what the window shows."""
        path.write_bytes(base64.b64decode(self.driver.get_screenshot_as_base64()))
        return path.read_bytes()

    def events(self, method: str) -> list[dict[str, Any]]:
        """The browser's events of this name that were not asked for yet."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [message["params"] for message in messages if message["method"] == method]

    def complaints(self) -> list[str]:
        """What the console was told since it was asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture(scope="session")
def _chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = installed("Chromium", "/usr/bin/chromium", "/usr/bin/chromium-browser")
    driver = installed("Chromium", "/usr/bin/chromedriver")
    for option in (*_OPTIONS.split(), f"user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(f"--{option}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options, Service(driver))
    yield found
    found.quit()


@pytest.fixture
def browser(_chromium: webdriver.Chrome) -> Browser:
    """The browser, at an empty page."""
    _chromium.get("about:blank")
    for log in ("performance", "browser"):
        _chromium.get_log(log)
    return Browser(_chromium)
