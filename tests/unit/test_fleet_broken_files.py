"""Broken files of data centres, clusters and their catalogues: refused with file, line, key, what was given, and the fix."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from balai.errors import DataError, Problem
from balai.estate import load_estate

CLUSTER, PLACE, TENANT = "clusters/cikarang.yml", "data_centres/cikarang.yml", "tenants/pajak.yml"
WINDOW = '{days: [sat], start: "22:00", hours: 6}'
POOL = "{name: general, machines: general, racks: {a: 2, b: 2, c: 2}}"
CLASS = "  - {name: general, cpu: 32, memory_gib: 128, pods: 110, reserved_cpu: 2, reserved_memory_gib: 8}\n"
RELEASE = (
    '  - {version: 1.36.2, supported: "2026-06-01", deprecated: "2027-02-01", expires: "2027-06-01", image: unknown}\n'
)


@dataclass(frozen=True)
class Broken:
    """A file with edits, and what must be said: key and a part of the sentence."""

    name: str
    file: str
    edits: dict[str, str]
    said: dict[str, str]


CASES = [
    Broken(
        "version that nobody decided on",
        CLUSTER,
        {"kubernetes: 1.37.2": "kubernetes: 1.37.1"},
        {"kubernetes": "no such version in the catalogue"},
    ),
    Broken(
        "version in another form", CLUSTER, {"kubernetes: 1.37.2": "kubernetes: v1.37.2"}, {"kubernetes": "should match"}
    ),
    Broken(
        "data centre unknown",
        CLUSTER,
        {"data_centre: cikarang": "data_centre: cikarng"},
        {"data_centre": "Did you mean 'cikarang'"},
    ),
    Broken(
        "data centre and class unknown at once",
        CLUSTER,
        {"data_centre: cikarang": "data_centre: bandung", "machines: general": "machines: generl"},
        {"data_centre": "no such data centre", "pools[0].machines": "Did you mean 'general'"},
    ),
    Broken(
        "pool larger than a rack",
        CLUSTER,
        {POOL: POOL.replace("b: 2", "b: 9")},
        {"pools[0].racks.b": "rack b has 8 machines of class general, and 0 are taken"},
    ),
    Broken(
        "two pools larger than a rack together",
        CLUSTER,
        {POOL: POOL.replace("a: 2", "a: 5") + "\n  - {name: more, machines: general, racks: {a: 4}}"},
        {"pools[1].racks.a": "rack a has 8 machines of class general, and 5 are taken"},
    ),
    Broken(
        "class that a rack has none of",
        PLACE,
        {"gateway: 2}\n  b:": "gateway: 0}\n  b:"},
        {"pools[1].racks.a": "rack a has 0 machines of class gateway"},
    ),
    Broken("rack unknown", CLUSTER, {POOL: POOL.replace("c: 2", "d: 2")}, {"pools[0].racks.d": "no such rack of cikarang"}),
    Broken(
        "class unknown", CLUSTER, {"machines: gateway": "machines: gatewy"}, {"pools[1].machines": "Did you mean 'gateway'"}
    ),
    Broken("class of a rack unknown", PLACE, {"{control-plane: 2, general: 8": "{control-plane: 2, general: 8, gpu: 1"},
           {"racks.a.gpu": "no such class of machines.yml"}),
    Broken(
        "two pools of one name",
        CLUSTER,
        {"name: gateway": "name: general"},
        {"pools[1].name": "another pool has it already"},
    ),
    Broken("pool of no rack", CLUSTER, {"racks: {a: 1, b: 1}": "racks: {}"}, {"pools[1].racks": "at least 1"}),
    Broken("fewer than none", CLUSTER, {"racks: {a: 1, b: 1}": "racks: {a: -1, b: 1}"}, {"pools[1].racks.a": "greater"}),
    Broken(
        "an even number of control planes", CLUSTER, {"control_planes: 3": "control_planes: 4"}, {"control_planes": "1, 3 or 5"}
    ),
    Broken(
        "more control planes than machines",
        PLACE,
        {"{control-plane: 2,": "{control-plane: 0,", "  b: {control-plane: 2,": "  b: {control-plane: 0,"},
        {"control_planes": "cikarang has 2 machines of class control-plane, and 0 are taken"},
    ),
    Broken("no window", CLUSTER, {f"windows:\n  - {WINDOW}": "windows: []\nx:"}, {"windows": "at least 1", "x": "no such key"}),
    Broken("window on no day", CLUSTER, {"days: [sat]": "days: []"}, {"windows[0].days": "at least 1"}),
    Broken("window on a day of no week", CLUSTER, {"days: [sat]": "days: [sabtu]"}, {"windows[0].days[0]": "'mon'"}),
    Broken("window of no time", CLUSTER, {"hours: 6": "hours: 0"}, {"windows[0].hours": "greater than or equal to 1"}),
    Broken("window of more than a day", CLUSTER, {"hours: 6": "hours: 25"}, {"windows[0].hours": "less than or equal to 24"}),
    Broken("window at no hour", CLUSTER, {'"22:00"': '"24:00"'}, {"windows[0].start": "should match"}),
    Broken(
        "context of a management cluster",
        CLUSTER,
        {"kubeconfig_context: cikarang": "kubeconfig_context: management-batam"},
        {"kubeconfig_context": "the management cluster's of batam"},
    ),
    Broken(
        "ended without a reason", CLUSTER, {"status: active": "status: decommissioning"}, {"": "needs a status_reason"}
    ),
    Broken("range of another data centre", PLACE, {"index: 0": "index: 1"}, {"index": "batam has it already"}),
    Broken("range outside", PLACE, {"index: 0": "index: 64"}, {"index": "less than or equal to 63"}),
    Broken(
        "management cluster of another data centre",
        PLACE,
        {"management_context: management-cikarang": "management_context: management-batam"},
        {"management_context": "batam has it already"},
    ),
    Broken("infrastructure of a lab", PLACE, {"metal3": "in-memory"}, {"infrastructure": "should be 'metal3'"}),
    Broken("API server outside", CLUSTER, {"index: 0": "index: 50"}, {"index": "less than or equal to 49"}),
    Broken("half a machine", "machines.yml", {CLASS: CLASS.replace("memory_gib: 128, ", "")}, {"classes[1].memory_gib": "required"}),
    Broken(
        "machine whose system keeps everything",
        "machines.yml",
        {CLASS: CLASS.replace("reserved_cpu: 2", "reserved_cpu: 32")},
        {"classes[1]": "should leave something of the machine"},
    ),
    Broken("class given twice", "machines.yml", {CLASS: CLASS + CLASS}, {"": "class general stands here twice"}),
    Broken("class that tenants need is gone", "machines.yml", {CLASS: ""}, {"": "class general is missing"}),
    Broken("nothing left of a machine", "machines.yml", {"headroom_percent: 10": "headroom_percent: 51"}, {"headroom_percent": "50"}),
    Broken("version given twice", "kubernetes.yml", {RELEASE: RELEASE + RELEASE}, {"": "version 1.36.2 stands here twice"}),
    Broken(
        "version that ends before it begins",
        "kubernetes.yml",
        {'expires: "2027-06-01"': 'expires: "2027-01-01"'},
        {"releases[1]": "should follow each other"},
    ),
    Broken(
        "image without a hash",
        "kubernetes.yml",
        {RELEASE: RELEASE.replace("unknown", '{url: "https://images.balai.internal/1.36.2.qcow2"}')},
        {"releases[1].image.sha256": "required"},
    ),
    Broken(
        "address of an image that Cluster API would not take",
        "kubernetes.yml",
        {RELEASE: RELEASE.replace("unknown", f'{{url: "https://images.balai.internal/get?v=1", sha256: {"a" * 64}}}')},
        {"releases[1].image.url": "should match"},
    ),
    Broken("freeze of nobody", "calendar.yml", {"[pajak, identitas]": "[]"}, {"freezes[0].tenants": "at least 1"}),
    Broken(
        "freeze of a stranger",
        "calendar.yml",
        {"[pajak, identitas]": "[pajak, identitias]"},
        {"freezes[0].tenants[1]": "Did you mean 'identitas'"},
    ),
    Broken("freeze on no day", "calendar.yml", {'"03-31"': '"02-30"'}, {"freezes[0].last": "a month and a day"}),
    Broken(
        "freeze of the whole year",
        "calendar.yml",
        {'first: "03-01"': 'first: "01-01"', '"03-31"': '"12-31"'},
        {"freezes[0].last": "never ends"},
    ),
    Broken("freeze over every new year", "calendar.yml", {'"03-31"': '"02-29"'}, {"freezes[0].last": "never ends"}),
    Broken(
        "cores in a unit of memory and memory in one of cores",
        TENANT,
        {'cpu: "4", memory: 4Gi': "cpu: 4Gi, memory: 500m", "cpu: 20m, memory: 32Mi": "cpu: 20Mi, memory: 32m"},
        {
            "quota.cpu": "no unit of memory",
            "quota.memory": "a thousandth",
            "services[0].resources.cpu": "no unit of memory",
            "services[0].resources.memory": "a thousandth",
        },
    ),
    Broken(
        "its own standby",
        TENANT,
        {"clusters: [cikarang, batam]": "clusters: [cikarang, cikarang]"},
        {"clusters[1]": "nothing is its own standby"},
    ),
    Broken(
        "many things at once",
        CLUSTER,
        {
            "kubernetes: 1.37.2": "kubernetes: 1.30.1",
            POOL: POOL.replace("a: 2", "a: 20").replace("c: 2", "e: 2"),
            "machines: gateway": "machines: database2",
            "control_planes: 3": "control_planes: 5",
            "kubeconfig_context: cikarang": "kubeconfig_context: batam",
        },
        {
            "kubernetes": "no such version",
            "pools[0].racks.a": "8 machines",
            "pools[0].racks.e": "no such rack",
            "pools[1].machines": "no such class",
            "kubeconfig_context": "batam has it already",
        },
    ),
]  # fmt: skip


@pytest.fixture
def inventories(root: Path, tmp_path: Path) -> Path:
    shutil.copytree(root / "inventories", tmp_path / "inventories")
    return tmp_path / "inventories"


def problems(folder: Path) -> list[Problem]:
    with pytest.raises(DataError) as refused:
        load_estate(folder)
    return refused.value.problems


Edit = Callable[[str, dict[str, str]], None]


@pytest.fixture
def edit(inventories: Path) -> Edit:
    def change(file: str, edits: dict[str, str]) -> None:
        path = inventories / file
        text = path.read_text()
        for old, new in edits.items():
            assert old in text
            text = text.replace(old, new, 1)
        path.write_text(text)

    return change


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_problem_of_the_fleet_s_files_is_said_at_once_with_file_line_key_and_fix(
    case: Broken, inventories: Path, edit: Edit
) -> None:
    edit(case.file, case.edits)

    found = problems(inventories)

    assert sorted(problem.key for problem in found) == sorted(case.said)
    for problem in found:
        assert case.said[problem.key] in f"{problem.bound} {problem.fix}"
        assert problem.fix.endswith((".", "?")), "the fix is a sentence"
        lines = Path(problem.file).read_text().splitlines()
        assert 1 <= problem.line <= len(lines)
        last = problem.key.rsplit(".", 1)[-1].split("[")[0]
        if last and "required" not in problem.bound and not problem.key.endswith("]"):
            near = "".join(lines[max(0, problem.line - 2) : problem.line + 1])
            assert last in near, f"{problem.key} is not near line {problem.line}"


def second(inventories: Path, **changes: str) -> None:
    """Put a second cluster into the data centre of the first."""
    text = (inventories / CLUSTER).read_text()
    for old, new in {"name: cikarang": "name: dua", "index: 0": "index: 1", **changes}.items():
        assert old in text
        text = text.replace(old, new, 1)
    text = text.replace("kubeconfig_context: cikarang", "kubeconfig_context: dua", 1)
    (inventories / "clusters/dua.yml").write_text(text)


def test_two_clusters_in_one_data_centre_are_right_while_there_is_room_for_both(inventories: Path) -> None:
    second(inventories)

    assert {"cikarang", "dua"} <= load_estate(inventories).clusters.keys()


def test_two_clusters_with_one_index_would_answer_at_one_address(inventories: Path) -> None:
    second(inventories, **{"index: 0": "index: 0"})

    (found,) = problems(inventories)

    assert (Path(found.file).name, found.key, found.given) == ("dua.yml", "index", "0")
    assert "cikarang has it already, and with it the address of its API server" in found.bound


def test_the_same_index_in_another_data_centre_is_another_address(inventories: Path) -> None:
    indices = {(c.data_centre, c.index) for c in load_estate(inventories).clusters.values()}

    assert indices == {("cikarang", 0), ("batam", 0)}


def test_clusters_together_take_no_more_machines_than_a_data_centre_has(inventories: Path, edit: Edit) -> None:
    second(inventories, **{"control_planes: 3": "control_planes: 5", "racks: {a: 2": "racks: {a: 7"})

    found = {problem.key: problem for problem in problems(inventories)}

    assert {Path(p.file).name for p in found.values()} == {"dua.yml"}
    assert found["control_planes"].bound == "cikarang has 6 machines of class control-plane, and 3 are taken"
    assert found["pools[0].racks.a"].bound == "rack a has 8 machines of class general, and 2 are taken"
    assert found["pools[0].racks.a"].fix.startswith("Ask for 6,")


def test_machines_of_control_planes_that_a_pool_takes_are_not_there_for_control_planes(
    inventories: Path, edit: Edit
) -> None:
    edit(CLUSTER, {POOL: f"{POOL}\n  - {{name: odd, machines: control-plane, racks: {{a: 2, b: 2}}}}"})

    (found,) = problems(inventories)

    assert (found.key, found.bound) == (
        "control_planes",
        "cikarang has 6 machines of class control-plane, and 4 are taken",
    )


def test_problems_of_all_files_of_the_fleet_are_said_together(inventories: Path, edit: Edit) -> None:
    edit(CLUSTER, {"kubernetes: 1.37.2": "kubernetes: 1.37.1"})
    edit("clusters/batam.yml", {POOL: POOL.replace("b: 2", "z: 2")})
    edit(PLACE, {"management_context: management-cikarang": "management_context: management-batam"})
    edit("calendar.yml", {"[pajak, identitas]": "[pajek]"})

    found = {(Path(problem.file).name, problem.key) for problem in problems(inventories)}

    assert found == {
        ("cikarang.yml", "kubernetes"),
        ("batam.yml", "pools[0].racks.z"),
        ("cikarang.yml", "management_context"),
        ("calendar.yml", "freezes[0].tenants[0]"),
    }
