"use strict";
(() => {
  const find = (selector, from = document) => [...from.querySelectorAll(selector)];
  const one = (id) => document.getElementById(id);
  const query = one("query"), lane = one("lane"), service = one("service"), boxes = find(".only input");
  const lines = (text) => new Set(text.split("\n"));
  const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

  const tests = find("details.test").map((element) => ({
    element,
    was: element.open,
    flags: element.dataset.flags,
    name: element.querySelector("summary").textContent.toLowerCase(),
    calls: find(".call", element).map((call) => ({
      element: call,
      lanes: lines(call.dataset.lanes),
      services: lines(call.dataset.services),
      flags: call.dataset.flags,
      text: null,
    })),
  }));
  let narrowed = false;

  // The text of a call is read when it is first searched: most visits search nothing.
  const has = (test, call, wanted) => {
    if (wanted.length && call.text === null) call.text = call.element.textContent.toLowerCase();
    return wanted.every((word) => test.name.includes(word) || call.text.includes(word));
  };

  const apply = () => {
    const wanted = words(query.value);
    const only = boxes.filter((box) => box.checked).map((box) => box.value);
    const ofCalls = only.filter((flag) => flag !== "failed");
    const aboutCalls = lane.value !== "*" || service.value !== "*" || ofCalls.length > 0;
    const narrow = wanted.length > 0 || only.length > 0 || aboutCalls;
    if (narrow && !narrowed) for (const test of tests) test.was = test.element.open;
    const found = [];
    let calls = 0;
    for (const test of tests) {
      let any = !aboutCalls && wanted.every((word) => test.name.includes(word));
      for (const call of test.calls) {
        const fits = (lane.value === "*" || call.lanes.has(lane.value))
          && (service.value === "*" || call.services.has(service.value))
          && ofCalls.every((flag) => call.flags.includes(flag))
          && has(test, call, wanted);
        call.fits = fits;
        any = any || fits;
      }
      const shown = any && (!only.includes("failed") || test.flags.includes("failed"));
      test.element.hidden = !shown;
      if (!shown) continue;
      found.push(test);
      for (const call of test.calls) {
        call.element.hidden = !call.fits;
        calls += call.fits ? 1 : 0;
      }
    }
    // What few tests are found is opened; what was open before is again once nothing is searched.
    if (narrow) for (const test of found) test.element.open = test.was || found.length <= 10;
    else if (narrowed) for (const test of tests) test.element.open = test.was;
    narrowed = narrow;
    one("nothing").hidden = found.length > 0;
    one("clear").disabled = !narrow;
    const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
    one("shown").textContent = narrow
      ? `${found.length.toLocaleString("en")} of ${count(tests.length, "test")}, ${count(calls, "call")}`
      : `${count(tests.length, "test")}, ${count(calls, "call")}`;
  };

  let waiting = 0;
  const soon = () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(apply);
  };
  const openAll = (open) => {
    for (const test of tests) if (!test.element.hidden) test.element.open = open;
  };
  const form = document.querySelector("form.tools");
  for (const event of ["input", "change"]) form.addEventListener(event, soon);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  one("open").addEventListener("click", () => openAll(true));
  one("close").addEventListener("click", () => openAll(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      query.focus();
    } else if (event.key === "Escape" && event.target === query) {
      form.reset();
    }
  });
  document.documentElement.classList.add("js");
  apply();
})();
