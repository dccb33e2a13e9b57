"""Reading YAML: what is refused, how far the reader goes for it, and what people really write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lanebaggage.routing import RoutingError, load, load_text
from lanebaggage.routing import documents as module
from lanebaggage.routing.documents import MAX_BYTES, MAX_NODES, documents, read_files

ACCEPTANCE = Path(__file__).parent.parent / "acceptance"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "alias bomb": (BOMB, "aliases included"),
    "merge bomb": ("a: &a {x: 1}\n" + "b: {<<: [" + "*a," * MAX_NODES + "]}\n", "aliases included"),
    "too many bytes": ("a: " + "x" * MAX_BYTES, "more than 4194304"),
    "too many values": ("[" + "a," * MAX_NODES + "]", "more than 200000 values"),
    "deep lists": ("[" * 100_000, "deeper than 64"),
    "deep mappings": ("".join("  " * depth + "a:\n" for depth in range(1000)), "deeper than 64"),
    "deep keys": ("? " * 100_000, "deeper than 64"),
    "python tag": ("a: !!python/object/apply:os.system ['id']", "a tag"),
    "own tag": ("a: !x {}", "a tag"),
    "tag on a key": ("!!str a: 1", "a tag"),
    "alias to itself": ("a: &a [*a]", "stands for nothing"),
    "alias of another document": ("a: &a 1\n---\na: *a", "stands for nothing"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_yaml_is_refused(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hostile YAML is refused with a reason, after no more values than the limit were looked at."""
    text, says = HOSTILE[case]
    looked_at = 0
    original = module._Builder._node

    def counted(*args):
        nonlocal looked_at
        looked_at += 1
        return original(*args)

    monkeypatch.setattr(module._Builder, "_node", counted)
    with pytest.raises(RoutingError, match=says):
        load_text(text)
    assert looked_at <= MAX_NODES + 1


def test_nothing_is_ever_constructed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No YAML constructor runs, whatever the file says."""
    monkeypatch.setattr(yaml.constructor.BaseConstructor, "construct_object", None)
    assert load(ACCEPTANCE / "strict")


def refusal_of(text: str) -> RoutingError | None:
    try:
        load_text(text, "lanes.yaml")
    except RoutingError as refused:
        return refused
    return None


@given(st.text(alphabet=st.sampled_from("ab:-?[]{}&*!|>'\"%#, \n\t~<1\x00é\ud800"), max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text is read or refused with an error of ours."""
    refusal = refusal_of(text)
    assert refusal is None or refusal.findings


@given(st.data())
def test_no_damage_to_a_lane_file_breaks_the_reader(data: st.DataObject) -> None:
    """A lane file with lines lost, doubled or with other values is read or refused with file and line."""
    lines = (ACCEPTANCE / "service-fallback" / "lanes.yaml").read_text().splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        key = lines[at].partition(":")[0]
        other = data.draw(
            st.sampled_from(["", lines[at - 1], f"{key}: 1", f"{key}: []", f"{key}: {{}}", f"{key}: [x]", f"{key}: null"])
        )
        lines[at] = other
    refusal = refusal_of("\n".join(lines))
    assert refusal is None or all(finding.place.file == "lanes.yaml" and finding.place.line for finding in refusal.findings)


def test_what_people_write() -> None:
    """Anchors, merge keys, lists of objects, JSON and a byte-order mark are read as kubectl reads them."""
    listed = "kind: A\nmetadata: {name: a}\n---\nkind: List\nitems:\n- {kind: B}\n- {kind: C, metadata: {name: c}}"
    assert [(each.kind, each.name) for each in documents(listed)] == [("A", "a"), ("B", ""), ("C", "c")]
    (merged,) = documents("kind: A\nbase: &b {x: one, y: two}\nspec:\n  <<: *b\n  y: own\n")
    assert {name: node.value for name, node in merged.node.get("spec").value.items()} == {"x": "one", "y": "own"}
    assert documents('{"kind": "A", "metadata": {"name": "j"}}')[0].name == "j"
    assert documents("---\n# nothing\n---\n") == []


def test_lines_survive_aliases() -> None:
    """What is wrong with a value taken by an alias is reported where the alias stands."""
    with pytest.raises(RoutingError, match=r"^lanes\.yaml:6: spec\.services is a mapping"):
        load_text(
            "kind: ASMSwimLaneGroup\nmetadata: {name: a}\nx: &x {a: b}\nspec:\n  isPermissive: false\n  services: *x\n",
            "lanes.yaml",
        )


def test_files(tmp_path: Path) -> None:
    """A directory means its YAML files by name; what cannot be read is an error with the file's name."""
    (tmp_path / "b.yml").write_text("b")
    (tmp_path / "a.yaml").write_text("\ufeffa")
    (tmp_path / "c.json").write_text("c")
    (tmp_path / "empty").mkdir()
    assert [text for text, _ in read_files([tmp_path])] == ["a", "b"]
    assert [text for text, _ in read_files([tmp_path / "c.json"])] == ["c"]
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    (tmp_path / "large.yaml").write_bytes(b"a" * (MAX_BYTES + 1))
    for name, says in {
        "missing.yaml": "no such file",
        "empty": "no YAML file is in it",
        "latin.yaml": "byte 3 is no UTF-8",
        "large.yaml": "more than 4194304",
    }.items():
        with pytest.raises(RoutingError, match=f"{name}: .*{says}"):
            list(read_files([tmp_path / name]))


def test_several_groups_in_a_directory(tmp_path: Path) -> None:
    """Groups and lanes in several files of a directory find each other by the label, in the order of the files."""
    text = (ACCEPTANCE / "strict" / "lanes.yaml").read_text()
    group, *lanes = text.split("---\n")
    (tmp_path / "1-lanes.yaml").write_text("---\n".join(lanes))
    (tmp_path / "2-group.yaml").write_text(group)
    (tmp_path / "3-other.yaml").write_text(text.replace("name: test", "name: other").replace("group: test", "group: other"))
    groups = load(tmp_path)
    assert [group.name for group in groups] == ["test", "other"]
    assert groups[0].lanes == groups[1].lanes
    assert [lane.name for lane in groups[0].lanes] == ["s1", "s2", "s3"]


def test_without_pyyaml() -> None:
    """The router works without PyYAML; reading and writing say what to install."""
    program = """
import sys
sys.modules["yaml"] = None
from lanebaggage.routing import LaneGroup, Request, Router, RoutingError, load_text
from lanebaggage.routing.asm_write import write_asm
group = LaneGroup.simple(baseline="s1", lanes={"s1": ["mocka"]})
assert Router(group).route("mocka", Request()).ok
for use in (lambda: load_text("a: b"), lambda: write_asm([group])):
    try:
        use()
    except RoutingError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.count("pip install 'lanebaggage[mesh]'") == 2
