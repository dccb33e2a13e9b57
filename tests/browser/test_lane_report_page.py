"""The lane report in a real browser: what a person sees, searches and filters, in light and dark, wide and narrow."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from lanebaggage.mesh.reporting import LaneReport
from mesh.lane_report_run import RUN, pictures, run

if TYPE_CHECKING:
    from pathlib import Path

    from browser.conftest import Browser

BAD = ["test_the_receipt_is_sent_in_the_lane", "test_before_lanebaggage", "test_an_outage_is_told"]
FINE = ["test_each_lane_takes_its_own_path", "test_a_stopped_service_falls_back[mockc-s2]", "test_mail_may_leave_the_lane",
        "test_strict_lanes_stay_apart", "test_a_page_without_calls"]  # fmt: skip

CONTRAST = """
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const rgba = (colour) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const over = ([r, g, b, a], below) => [r, g, b].map((value, i) => value * a / 255 + below[i] * (1 - a / 255));
const backdrop = (element) => {
  if (!element) return [255, 255, 255];
  const colour = rgba(getComputedStyle(element).backgroundColor);
  return colour[3] === 255 ? colour : over(colour, backdrop(element.parentElement));
};
const light = (rgb) => rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const seen = (element) => element.checkVisibility() && element.getClientRects().length
  && !element.closest(".for-ears, :disabled");
const found = {};
for (const element of document.querySelectorAll("body *")) {
  const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!text || !seen(element)) continue;
  const below = backdrop(element), above = over(rgba(getComputedStyle(element).color), below);
  const [low, high] = [light(below), light(above)].sort((a, b) => a - b);
  const ratio = (high + 0.05) / (low + 0.05);
  if (ratio < 4.5) found[`${element.tagName} ${element.className}: ${element.textContent.trim().slice(0, 20)}`] = ratio;
}
return found;
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the realistic run."""
    logging.disable()
    found = run().write(str(tmp_path_factory.mktemp("report") / "report.html"))
    logging.disable(logging.NOTSET)
    return found


def shown(browser: Browser) -> list[str]:
    """The tests that can be seen, by name."""
    names: list[str] = browser.settled(
        "return [...document.querySelectorAll('.test')].filter((one) => one.checkVisibility())"
        ".map((one) => one.querySelector('.name b').textContent)"
    )
    return names


def shown_calls(browser: Browser) -> list[str]:
    """The calls that can be seen, by title."""
    titles: list[str] = browser.settled(
        "return [...document.querySelectorAll('.call')].filter((one) => one.checkVisibility())"
        ".map((one) => one.querySelector('.title').textContent + ' ' + one.querySelector('.chip').textContent)"
    )
    return titles


def counted(browser: Browser) -> str:
    text: str = browser.settled("return document.querySelector('#shown').textContent")
    return text


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
@pytest.mark.parametrize("width", [1280, 400])
def test_a_person_sees_the_run(browser: Browser, page: Path, tmp_path: Path, scheme: str, dark: bool, width: int) -> None:
    """Counts, matrix, and the bad tests open before the others; readable contrast; nothing is wider than the window."""
    browser.show(page, scheme=scheme, width=width)
    body = browser.driver.find_element(By.TAG_NAME, "body").text
    assert "2 lanes lost, 3 tests failed" in body
    assert "Lane lost here" in body
    assert "take x-asm-prefer-tag out of the request's headers; lanebaggage adds the right one" in body
    row = browser.driver.find_elements(By.CSS_SELECTOR, ".matrix tbody tr")[2].find_elements(By.TAG_NAME, "td")
    away = ["↩falls", "back", "to", "s1", "v1"]
    assert [cell.text.replace("↩\n", "↩").split() for cell in row] == [away, away, ["v3"], away]
    assert shown(browser) == BAD + FINE
    assert len(shown_calls(browser)) == 4
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    background = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background.removeprefix("rgb(").removesuffix(")").split(","))) < 200) is dark
    browser.driver.find_element(By.ID, "open").click()
    assert browser.run(CONTRAST) == {}
    assert browser.screenshot(tmp_path / f"{scheme}-{width}.png").startswith(b"\x89PNG")


def test_nothing_is_asked_of_the_network_and_nothing_goes_wrong(browser: Browser, page: Path) -> None:
    """The page itself and its icon are all that is read, and the console stays empty, in use too."""
    browser.show(page)
    browser.driver.find_element(By.ID, "query").send_keys("mockc")
    assert len(shown(browser)) > 1
    asked = {event["request"]["url"] for event in browser.events("Network.requestWillBeSent")}
    assert page.as_uri() in asked
    assert {url for url in asked if not url.startswith(("data:", page.as_uri()))} == set()
    assert browser.complaints() == []


def test_the_policy_stops_a_script_that_is_not_the_page_s(browser: Browser, page: Path, tmp_path: Path) -> None:
    """Even markup that got past the escaping could neither run nor load anything."""
    text = page.read_text(encoding="utf-8")
    worse = tmp_path / "worse.html"
    injected = "<script>window.ran = true</script><img src=http://127.0.0.1:9/x><i onclick='window.ran = true' id=i>x</i>"
    worse.write_text(text.replace("<main>", f"<main>{injected}"), encoding="utf-8")
    browser.show(worse)
    browser.run("document.getElementById('i').click()")
    assert browser.run("return window.ran") is None
    assert len(browser.complaints()) >= 3
    assert shown(browser) == BAD + FINE


def test_hostile_names_are_text(browser: Browser, tmp_path: Path) -> None:
    """A test whose name is a script is shown as such, is searched as such, and runs nothing."""
    report = LaneReport()
    name = "test_<script>window.ran = true</script><img src=x onerror='window.ran = true'>\"&"
    report.add(f"test_x.py::{name}", "failed", 0.1, pictures((FINE[3],))[FINE[3]], message=name)
    browser.show(report.write(str(tmp_path / "evil.html")))
    assert shown(browser) == [name]
    browser.driver.find_element(By.ID, "query").send_keys("<script> onerror")
    assert shown(browser) == [name]
    assert browser.run("return window.ran") is None
    assert browser.complaints() == []


def test_search_finds_tests_and_calls(browser: Browser, page: Path) -> None:
    """By words anywhere in a test, all of them; few finds are opened; Escape brings back what was there."""
    browser.show(page)
    body = browser.driver.find_element(By.TAG_NAME, "body")
    body.send_keys("/")
    query = browser.driver.switch_to.active_element
    assert query.get_attribute("id") == "query"
    query.send_keys("MOCKC no healthy endpoint")
    assert shown(browser) == ["test_an_outage_is_told", "test_a_stopped_service_falls_back[mockc-s2]"]
    assert shown_calls(browser) == ["GET mocka/ s2", "GET checkout/checkout s2"]
    assert counted(browser) == "2 of 8 tests, 2 calls"
    query.send_keys(" nowhere")
    assert shown(browser) == []
    assert browser.driver.find_element(By.ID, "nothing").is_displayed()
    query.send_keys(Keys.ESCAPE)
    assert shown(browser) == BAD + FINE
    assert len(shown_calls(browser)) == 4
    assert counted(browser) == "8 tests, 10 calls"


def test_filters_narrow_by_lane_service_and_kind(browser: Browser, page: Path) -> None:
    """Each by itself and together; Clear ends them."""
    browser.show(page)

    def only(kind: str) -> None:
        browser.driver.find_element(By.CSS_SELECTOR, f".only label:has([value={kind}])").click()

    lane = Select(browser.driver.find_element(By.ID, "lane"))
    assert [option.text for option in lane.options] == ["every lane", "s1", "s2", "s3", "no lane"]
    only("lost")
    assert shown(browser) == [*BAD[:2], "test_mail_may_leave_the_lane"]
    only("failed")
    assert shown(browser) == BAD[:2]
    lane.select_by_visible_text("s3")
    assert shown(browser) == BAD[:1]
    browser.driver.find_element(By.ID, "clear").click()
    assert shown(browser) == BAD + FINE
    lane.select_by_visible_text("no lane")
    assert shown(browser) == [BAD[1]]
    only("fallback")
    lane.select_by_visible_text("s3")
    Select(browser.driver.find_element(By.ID, "service")).select_by_visible_text("checkout")
    assert shown(browser) == ["test_the_receipt_is_sent_in_the_lane", FINE[0], "test_mail_may_leave_the_lane"]
    assert shown_calls(browser) == ["GET checkout/receipt s2", "GET checkout/checkout s3", "GET checkout/receipt s2"]


def test_the_keyboard_is_enough(browser: Browser, page: Path) -> None:
    """Tab reaches the filters and each test in order; Space and Enter use them; a hop tells more when it is opened."""
    browser.show(page)
    browser.driver.find_element(By.TAG_NAME, "body").send_keys("/")
    reached = []
    for _ in range(7):
        active = browser.driver.switch_to.active_element
        reached.append(active.get_attribute("id") or active.get_attribute("value") or active.tag_name)
        active.send_keys(Keys.TAB)
    assert reached == ["query", "lane", "service", "lost", "fallback", "failed", "summary"]  # Clear has nothing to clear
    hop = browser.driver.find_element(By.CSS_SELECTOR, ".row")
    hop.send_keys(Keys.ENTER)
    assert "x-asm-prefer-tag" in browser.driver.find_element(By.CSS_SELECTOR, ".about").text
    browser.driver.find_element(By.CSS_SELECTOR, ".only input").send_keys(Keys.SPACE)
    assert len(shown(browser)) == 3


def test_it_reads_without_script(browser: Browser, page: Path, tmp_path: Path) -> None:
    """No control that does nothing is there, and tests open by themselves."""
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.show(page)
        assert not browser.driver.find_element(By.ID, "query").is_displayed()
        assert not browser.driver.find_element(By.ID, "open").is_displayed()
        test = browser.driver.find_elements(By.CSS_SELECTOR, ".test")[3]
        assert "api.partner.example" not in test.text
        test.find_element(By.TAG_NAME, "summary").click()
        assert "api.partner.example" in test.text
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_two_thousand_tests_can_be_searched(browser: Browser, tmp_path: Path) -> None:
    """A big suite's page opens, and its search finds the one test."""
    report = LaneReport()
    found: dict[str, dict[str, Any]] = pictures(tuple(RUN)[:2])
    for number in range(2000):
        report.add(f"tests/test_{number % 40}.py::test_{number}_x", "passed", 0.01, found[tuple(RUN)[number % 2]])
    browser.show(report.write(str(tmp_path / "big.html")))
    assert counted(browser) == "2,000 tests, 4,000 calls"
    browser.driver.find_element(By.ID, "query").send_keys("test_1234_x")
    assert shown(browser) == ["test_1234_x"]
    assert browser.complaints() == []


def test_it_prints(browser: Browser, page: Path) -> None:
    """On white, whatever the screen prefers; without the tools; within the paper."""
    browser.show(page, scheme="dark")
    browser.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.run(CONTRAST) == {}
    assert not browser.driver.find_element(By.ID, "query").is_displayed()
    assert browser.driver.print_page().startswith("JVBERi")
