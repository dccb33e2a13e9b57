"""The pytest fixtures, as a suite of their user has them."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

OURS = ("-p", "lanebaggage.pytest_plugin", "-p", "no:cacheprovider")

SUITE = """
    import pytest
    import requests
    from flask import Flask

    @pytest.fixture
    def mesh(mesh):
        first, second = Flask("a"), Flask("b")
        first.add_url_rule("/", view_func=lambda: requests.get("http://mockb/", timeout=5).text)
        second.add_url_rule("/", view_func=lambda: "b")
        mesh.service("mocka", v1=first, v2=first)
        mesh.service("mockb", v1=second, v2=second)
        mesh.lanes(baseline="s1", s1="v1", s2="v2")
        return mesh

    def test_passes(mesh, lane_mesh):
        assert mesh is lane_mesh
        assert mesh.get("mocka").path == [("mocka", "v1"), ("mockb", "v1")]

    def test_fails(mesh):
        assert mesh.get("mocka", lane="s2").lost_at is None
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """This run's plugins would cost the inner one more than its tests; ours is named by ``-p``."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.mark.parametrize("engine", ["inprocess", "sockets"])
def test_a_failed_test_draws_its_calls(pytester: pytest.Pytester, engine: str) -> None:
    """The fixture can be redefined on top of ours; the tree says where the lane was lost; the option chooses the engine."""
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_inprocess(f"--mesh-engine={engine}", *OURS)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- Calls through the lane mesh -*",
            "GET mocka/  200 *",
            "└─ mocka v2  lane s2",
            "   └─ mockb v1  no lane  <-- lane lost: mocka was serving lane s2",
        ]
    )


def test_a_suite_may_have_another_mesh(pytester: pytest.Pytester) -> None:
    """A ``mesh`` of a suite's own hides ours, and ``lane_mesh`` is still there."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def mesh():
            return "triangles"

        def test_both(mesh, lane_mesh):
            assert mesh == "triangles"
            assert lane_mesh.calls == []
        """
    )
    pytester.runpytest_inprocess(*OURS).assert_outcomes(passed=1)
