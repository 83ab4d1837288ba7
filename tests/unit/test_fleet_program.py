"""The program of a data centre's clusters: what its gate asks, what it deletes never by itself, and what a status says."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from balai.cli.stacks import unsettled
from balai.components import fleet as component
from balai.components.fleet import deletion, fleet_gate
from balai.components.guard import Refused
from balai.errors import EnvironmentFault
from balai.estate import Estate, load_estate
from balai.fleet import status
from balai.fleet.clusters import fleet_objects
from balai.fleet.infrastructure import SETTING

ESTATE = load_estate()
PLACE = ESTATE.data_centres["cikarang"]
STACK = "fleet.cikarang"
Ask = Callable[[str, pulumi.ResourceHookArgs], list[str]]


def ended(estate: Estate = ESTATE) -> Estate:
    change = {"status": "decommissioning", "status_reason": "for the test"}
    cluster = estate.clusters["cikarang"].model_copy(update=change)
    return replace(estate, clusters={**estate.clusters, "cikarang": cluster})


def allow(monkeypatch: pytest.MonkeyPatch, *what: str) -> None:
    monkeypatch.setattr(component, "approved", lambda stack, now: frozenset(what) if stack == STACK else frozenset())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What the gate asked of the calendar; it is told that nothing may change."""
    seen: list[tuple[str, ...]] = []

    def refuse(_: Estate, *names: str) -> list[str]:
        seen.append(tuple(name for name in names if name))
        return ["not now"]

    monkeypatch.setattr(component, "refusals", refuse)
    return seen


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Ask:
    """What the program gives the engine to ask before a change."""
    given: list[Ask] = []
    monkeypatch.setattr(component, "gate", lambda asks, **_: given.append(asks))
    fleet_gate(ESTATE, PLACE, STACK)
    return given[0]


def change(name: str, old: Any = None, new: Any = None) -> pulumi.ResourceHookArgs:
    type_ = "kubernetes:cluster.x-k8s.io/v1beta2:Cluster"
    return pulumi.ResourceHookArgs(urn="", id="", name=name, type=type_, old_inputs=old, new_inputs=new)


def inputs(version: str = "v1.36.2", **more: Any) -> dict[str, Any]:
    return {"spec": {"topology": {"version": version, **more}}, "metadata": {"annotations": {}}}


def test_a_change_of_a_cluster_s_machines_is_asked_about_with_the_cluster(
    ask: Ask, asked: list[tuple[str, ...]]
) -> None:
    assert ask("update", change("Cluster-cikarang", inputs(), inputs(workers=3))) == ["not now"]
    assert asked == [(STACK, "cikarang")]


def test_a_change_that_replaces_no_machine_waits_for_no_window(ask: Ask, asked: list[tuple[str, ...]]) -> None:
    labelled = {**inputs(), "metadata": {"labels": {"a": "b"}}}

    assert ask("update", change("Cluster-cikarang", inputs(), labelled)) == ["not now"]
    assert asked == [(STACK,)]


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [("v1.35.4", "v1.36.2", False), ("v1.35.4", "v1.37.2", True), ("v1.36.2", "v1.35.4", True)],
)
def test_a_version_is_not_skipped(ask: Ask, monkeypatch: pytest.MonkeyPatch, old: str, new: str, refused: bool) -> None:
    monkeypatch.setattr(component, "refusals", lambda *_: [])

    why = ask("update", change("Cluster-cikarang", inputs(old), inputs(new)))

    assert [f"{old} cannot become {new} at once" in said for said in why] == [True] * refused


def test_what_nobody_stands_on_yet_is_made_on_every_day(ask: Ask, asked: list[tuple[str, ...]]) -> None:
    assert ask("create", change("Cluster-cikarang", None, inputs())) == []
    assert ask("create", change("KubeadmConfigTemplate-worker-1", None, {})) == []
    assert asked == []


def test_a_class_that_no_cluster_is_of_any_more_goes_without_asking(ask: Ask, asked: list[tuple[str, ...]]) -> None:
    assert ask("delete", change("ClusterClass-balai-12345678", {}, None)) == []
    assert asked == []


def test_a_cluster_is_deleted_only_when_nobody_stands_on_it_and_two_people_said_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty = replace(ended(), tenants={})
    for allowed in ((), ("freeze", "window")):
        allow(monkeypatch, *allowed)
        (said,) = deletion(empty, STACK, "cikarang")
        assert "Cluster cikarang is not deleted: fleet.cikarang needs the approval of two people" in said

    allow(monkeypatch, "deletion")
    assert deletion(empty, STACK, "cikarang") == []
    (said,) = deletion(ended(), STACK, "cikarang")
    assert said.startswith("Cluster cikarang is not deleted: hukum, identitas")


def test_two_people_s_word_for_one_data_centre_deletes_nothing_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch, "deletion")

    (said,) = deletion(replace(ended(), tenants={}), "fleet.batam", "cikarang")

    assert "needs the approval of two people" in said


def test_a_cluster_is_not_made_of_a_version_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    over = ESTATE.releases["1.37.2"].model_copy(update={"expires": "2026-11-01"})
    monkeypatch.setattr(component.keys, "ensure", lambda *_: pytest.fail("a key was made"))

    with pytest.raises(Refused, match=r"Kubernetes 1\.37\.2 ended on 2026-11-01"):
        component._first(
            replace(ESTATE, releases={**ESTATE.releases, "1.37.2": over}), PLACE, change("Cluster-cikarang")
        )


def test_a_cluster_whose_file_is_gone_is_not_deleted_whoever_allowed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch, "deletion")
    without = replace(ESTATE, clusters={"batam": ESTATE.clusters["batam"]})

    (said,) = deletion(without, STACK, "cikarang")

    assert "a file that is gone is no order to delete" in said


PROGRAM = """
import json, sys
import pulumi
from dataclasses import replace
from balai.components import fleet as component
from balai.estate import load_estate
from balai.rendering import objects_of

estate, allowed, status, said = load_estate(), sys.argv[1:2], sys.argv[2], []
change = {"status": status, "status_reason": "for the test"}
cluster = estate.clusters["cikarang"].model_copy(update=change)
component.approved = lambda stack, now: frozenset(allowed)
pulumi.log.warn = lambda words, *_, **__: said.append(words)
try:
    made = objects_of("fleet.cikarang", replace(estate, clusters={**estate.clusters, "cikarang": cluster}))
except pulumi.RunError as error:
    made = str(error)
print(json.dumps([made, said]))
"""


@pytest.fixture
def program(run, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], tuple[Any, list[str]]]:
    """Run the program of a data centre against a stand-in for the engine, in a process of its own."""
    monkeypatch.setenv(SETTING, "in-memory")

    def start(allowed: str, status: str) -> tuple[Any, list[str]]:
        done = run(sys.executable, "-c", PROGRAM, allowed, status)
        assert done.returncode == 0, done.stderr
        made, said = json.loads(done.stdout)
        return made, said

    return start


def test_the_program_declares_the_namespace_the_class_and_every_cluster_of_its_data_centre_in_that_order(
    program: Any,
) -> None:
    """What no longer fits without a rack or a data centre is said in the plan, and refuses nothing."""
    made, said = program("", "active")
    parts, clusters = fleet_objects(ESTATE, PLACE)

    names = [(item["kind"], item["metadata"]["name"]) for item in made]
    wanted = [("Namespace", "fleet-cikarang"), *((i["kind"], i["metadata"]["name"]) for i in (*parts, *clusters))]
    assert sorted(names) == sorted(wanted)
    assert names[0] == ("Namespace", "fleet-cikarang")
    assert [kind for kind, _ in names[-2:]] == ["ClusterClass", "Cluster"]
    assert said == [
        "without cikarang, these do not fit: hukum, pajak-banyuwangi, pemda-banyuwangi. "
        "`balai fleet fit` says what would help."
    ]


def test_a_cluster_that_is_to_end_is_not_declared_and_stops_no_other(program: Any) -> None:
    """Whether it may go is asked by the hook before its deletion, so a file that stays afterwards is in nobody's way."""
    made, said = program("", "decommissioning")

    assert [item["kind"] for item in made] == ["Namespace"]
    assert said[0].startswith("now, these do not fit: hukum, pajak-banyuwangi, pemda-banyuwangi.")


# What a management cluster says of a cluster.


def live(**changes: Any) -> dict[str, Any]:
    conditions = [
        {"type": "TopologyReconciled", "status": "True", "observedGeneration": 4},
        {"type": "RollingOut", "status": "False", "observedGeneration": 4},
        {"type": "Available", "status": "True", "observedGeneration": 4},
    ]
    counts = ("replicas", "upToDateReplicas", "availableReplicas", "readyReplicas", "desiredReplicas")
    return {
        "metadata": {"name": "cikarang", "generation": 4},
        "spec": {"topology": {"version": "v1.37.2"}},
        "status": {
            "phase": "Provisioned",
            "conditions": changes.get("conditions", conditions),
            "controlPlane": dict.fromkeys(counts, 3),
            "workers": {**dict.fromkeys(counts, 8), **changes.get("workers", {})},
        },
    }


def row(item: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch, now: str = "2026-11-25T12:00+07:00") -> Any:
    class Api:
        def list(self, *_: str) -> list[dict[str, Any]]:
            return [item] if item else []

    monkeypatch.setattr(status.Api, "from_kubeconfig", lambda *_, **__: Api())
    (found,) = status.rows(ESTATE, [PLACE], datetime.datetime.fromisoformat(now))
    return found


def test_a_cluster_that_is_as_declared_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    found = row(live(), monkeypatch)

    assert found.done
    assert (found.state, found.control_planes, found.workers) == ("Available", "3/3", "8/8")
    assert (found.version, found.release, found.window) == ("1.37.2", "supported", "2026-11-28 22:00")
    assert row(live(), monkeypatch, "2026-11-28T15:30+00:00").window == "open"


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"workers": {"availableReplicas": 7}}, "workers.availableReplicas: 7 of 8"),
        ({"workers": {"replicas": 9}}, "workers.replicas: 9 of 8"),
        ({"workers": {"upToDateReplicas": 0}}, "workers.upToDateReplicas: 0 of 8"),
        ({"conditions": [
            {"type": "TopologyReconciled", "status": "True", "observedGeneration": 3, "message": "of before"},
            {"type": "RollingOut", "status": "False", "observedGeneration": 4},
            {"type": "Available", "status": "True", "observedGeneration": 4},
        ]}, "TopologyReconciled: of before"),
        ({"conditions": [
            {"type": "TopologyReconciled", "status": "True", "observedGeneration": 4},
            {"type": "RollingOut", "status": "True", "observedGeneration": 4, "message": "* one\n  * machine"},
            {"type": "Available", "status": "True", "observedGeneration": 4},
        ]}, "RollingOut: * one * machine"),
    ],
)  # fmt: skip
def test_what_keeps_a_cluster_from_being_done_is_said(
    changes: dict[str, Any], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = row(live(**changes), monkeypatch)

    assert not found.done
    assert found.missing == [missing]
    assert found.state == "Provisioned"


def test_a_cluster_of_another_version_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    item = live()
    item["spec"]["topology"]["version"] = "v1.36.2"

    assert not row(item, monkeypatch).done


def test_a_cluster_that_is_not_there_says_how_to_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = row(None, monkeypatch)

    assert (found.version, found.state, found.control_planes) == ("", "-", "0/0")
    assert "balai up --data-centre" in found.missing[0]


@pytest.mark.parametrize(("changes", "said"), [({}, 0), ({"workers": {"upToDateReplicas": 0}}, 1)])
def test_a_run_with_nothing_to_change_names_a_cluster_that_is_on_its_way(
    changes: dict[str, Any], said: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    row(live(**changes), monkeypatch)

    told = unsettled(ESTATE, ["cikarang"])

    assert len(told) == said
    assert all("workers.upToDateReplicas: 0 of 8" in words for words in told)


def test_what_nobody_answers_is_not_said_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise EnvironmentFault("nobody answers")

    monkeypatch.setattr(status.Api, "from_kubeconfig", away)

    assert unsettled(ESTATE, ["cikarang"]) == []
