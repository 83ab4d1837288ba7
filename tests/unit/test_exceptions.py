"""Exceptions: signed by enough, bounded, and over on their day without anybody's doing."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from balai.errors import DataError
from balai.rules import Judge, exceptions, listing, load_rules
from balai.rules.cases import base, merged
from balai.rules.exceptions import WIB, Exception_, load_exceptions

TEXT = """---
id: {id}
rule: {rule}
scope:
  - {{kind: Deployment, namespace: tenant-uji, name: page}}
reason: the vendor writes to its own folder
compensating: the pod is watched and replaced every night
owner: djp
requested: "2026-11-24"
expires: "{expires}"
"""
RULES = {rule.id: rule for rule in load_rules()}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an exception, signed by people whose keys are made here."""

    def key(name: str) -> Path:
        path = tmp_path / "keys" / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True)
            allowed = tmp_path / "x/allowed_signers"
            allowed.parent.mkdir(exist_ok=True)
            with allowed.open("a") as file:
                file.write(f'{name} namespaces="balai-exception" {path.with_suffix(".pub").read_text()}')
        return path

    def make(
        signers: tuple[str, ...] = ("ciso",),
        *,
        id_: str = "e-1",
        rule: str = "read_only_root",
        expires: str = "2026-12-31",
    ) -> Path:
        folder = tmp_path / "x" / id_
        folder.mkdir(parents=True)
        path = folder / "exception.yml"
        path.write_text(TEXT.format(id=id_, rule=rule, expires=expires))
        for name in signers:
            subprocess.run(
                ["ssh-keygen", "-q", "-Y", "sign", "-n", "balai-exception", "-f", key(name), path],
                check=True,
                capture_output=True,
            )
            path.with_name("exception.yml.sig").rename(folder / f"{name}.sig")
        return tmp_path / "x"

    return make


def problem(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_exceptions(folder)
    return str(caught.value)


def test_a_signed_exception_is_taken(write: Write) -> None:
    (found,) = load_exceptions(write())

    assert (found.id, found.rule) == ("e-1", "read_only_root")


def test_a_change_after_signing_voids_the_signature(write: Write) -> None:
    folder = write()
    path = folder / "e-1/exception.yml"
    path.write_text(path.read_text().replace("name: page", "name: other"))

    assert "needs the signatures of 1 people" in problem(folder)


def test_a_typed_name_and_a_stranger_are_no_signatures(write: Write) -> None:
    folder = write()
    (folder / "e-1/ciso.sig").rename(folder / "e-1/director.sig")

    assert "no valid signature" in problem(folder)


def test_a_severe_rule_needs_two_people(write: Write) -> None:
    folder = write(rule="run_as_non_root", expires="2026-12-31")

    assert "needs the signatures of 2 people" in problem(folder)
    assert "(got ciso)" in problem(folder)


def test_two_people_may_bend_a_severe_rule(write: Write) -> None:
    (found,) = load_exceptions(write(("ciso", "director"), rule="run_as_non_root"))

    assert found.rule == "run_as_non_root"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"expires": "2027-11-24"}, "at most 180 days after `requested`"),
        ({"expires": "2026-11-01"}, "at most 180 days after `requested`"),
        ({"rule": "read_only_rot"}, "there is no such rule"),
        ({"rule": "service_inside"}, "the rule is about Service"),
    ],
)
def test_an_exception_that_reaches_too_far_is_named_with_its_line(
    write: Write, more: dict[str, str], words: str
) -> None:
    said = problem(write(("ciso", "director"), **more))

    assert words in said
    assert "exception.yml:" in said


def exception(expires: str, rule: str = "read_only_root", **scope: str) -> Exception_:
    where = {"kind": "Deployment", "namespace": "tenant-uji", "name": "page", **scope}
    return Exception_.model_validate(
        {
            "id": "e-1",
            "rule": rule,
            "scope": [where],
            "reason": "for the test",
            "compensating": "for the test",
            "owner": "djp",
            "requested": "2026-11-24",
            "expires": expires,
        }
    )


WRITABLE = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "x"}]}}}}


def findings(one: Exception_, now: datetime.datetime, **difference: object) -> dict[str, str]:
    manifest = merged(merged(base("Deployment"), {"metadata": {"namespace": "tenant-uji"}, **WRITABLE}), difference)
    judge = Judge("audit", exceptions=[one], now=now)
    return {f.rule.id: f.exception for f in judge.judge(manifest, None, base("Namespace"))}


LAST = datetime.datetime(2026, 11, 24, 23, 59, 59, tzinfo=WIB)


def test_an_exception_covers_its_rule_on_its_object_to_the_end_of_its_day_in_jakarta() -> None:
    one = exception("2026-11-24")

    covered = findings(one, LAST)
    assert covered["read_only_root"] == "e-1"
    assert {name for name, by in covered.items() if by} == {"read_only_root"}
    assert findings(one, LAST + datetime.timedelta(seconds=1))["read_only_root"] == ""


@pytest.mark.parametrize("scope", [{"name": "other"}, {"namespace": "tenant-pajak"}, {"kind": "StatefulSet"}])
def test_an_exception_covers_nothing_else(scope: dict[str, str]) -> None:
    assert findings(exception("2026-11-30", **scope), LAST)["read_only_root"] == ""


def test_the_times_that_the_api_server_writes_end_an_exception_although_the_asker_s_clock_is_slow() -> None:
    """At admission nobody renews a stamp: the object itself says when it was made or changed."""
    one, early = exception("2026-11-24"), datetime.datetime(2020, 1, 1, tzinfo=WIB)
    before = {"creationTimestamp": "2026-11-24T16:59:59Z", "managedFields": [{"time": "2026-11-24T16:59:59Z"}]}

    assert findings(one, early, metadata=before)["read_only_root"] == "e-1"
    for late in (
        {**before, "creationTimestamp": "2026-11-24T17:00:00Z"},
        {**before, "managedFields": [{"time": "2026-11-24T16:00:00Z"}, {"time": "2026-11-24T17:00:00Z"}]},
        {**before, "managedFields": []},
    ):
        assert findings(one, early, metadata=late)["read_only_root"] == ""


def test_what_a_controller_makes_of_an_excepted_workload_is_covered_and_a_namesake_is_not() -> None:
    judge = Judge("audit", exceptions=[exception("2026-11-30")], now=LAST)

    def covered(name: str, owners: list[dict[str, object]]) -> str:
        pod = merged(base("Pod"), {"metadata": {"name": name, "namespace": "tenant-uji", "ownerReferences": owners}})
        pod["spec"]["containers"][0].pop("securityContext")
        return {f.rule.id: f.exception for f in judge.judge(pod, None, base("Namespace"))}["read_only_root"]

    def owner(name: str, **more: object) -> list[dict[str, object]]:
        return [{"kind": "ReplicaSet", "name": name, "controller": True, **more}]

    assert covered("any-name", owner("page-5d4")) == "e-1"
    for others in ([], owner("page-5d4", controller=False), owner("page-5d4", kind="ConfigMap"), owner("page")):
        assert covered("page-5d4-x1", others) == ""
    for others in (owner("pages-5d4"), owner("page-new-5d4")):
        assert covered("page-5d4-x1", others) == ""


class Cluster:
    """What an audit read: one Deployment that can write to its root."""

    namespaces = {"tenant-uji": base("Namespace")}
    contents: dict[str, dict[str, list[dict]]] = {"tenant-uji": {}}
    objects = [merged(merged(base("Deployment"), {"metadata": {"namespace": "tenant-uji"}}), WRITABLE)]


@pytest.mark.parametrize(
    ("expires", "name", "state"),
    [
        ("2027-02-01", "page", "active"),
        ("2026-12-01", "page", "ending"),
        ("2026-11-23", "page", "violated"),
        ("2026-11-23", "other", "ended"),
        ("2027-02-01", "other", "unmatched"),
    ],
)
def test_the_list_says_how_each_exception_stands(
    expires: str, name: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "load_exceptions", lambda: (exception(expires, name=name),))

    (row,) = listing.exceptions(30, Cluster(), None, datetime.date(2026, 11, 24))

    assert row.state == state
    assert state in listing.exceptions_text([row])


def test_the_bounds_name_every_severity() -> None:
    assert set(exceptions.BOUNDS) == {rule.severity for rule in RULES.values()}
