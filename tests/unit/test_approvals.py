"""Approvals: two people with keys of their own, for one stack and a few days; anything less allows nothing."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from balai.errors import DataError
from balai.fleet import approvals
from balai.fleet.approvals import (
    NAMESPACE,
    Approval,
    approved,
    deletions,
    load_approvals,
    role_of,
    signed_by,
)
from balai.rules.exceptions import WIB

TEXT = """---
id: {id}
stack: {stack}
allows: {allows}
reason: a certificate ends before the freeze does
requested: "{requested}"
expires: "{expires}"
"""
NOW = datetime.datetime(2026, 11, 24, 12, tzinfo=WIB)
DEFAULTS = {"stack": "fleet.cikarang", "allows": "[freeze]", "requested": "2026-11-20", "expires": "2026-11-30"}
Write = Callable[..., Path]


class People:
    """Keys that are made here, and the list of whose signature counts."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.approvals = folder / "keys", folder / "approvals"
        self.folder.mkdir()
        self.approvals.mkdir()

    def key(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True)
        return path

    def know(self, name: str, key: str = "", options: str = f'namespaces="{NAMESPACE}"') -> None:
        with (self.approvals / "allowed_signers").open("a") as allowed:
            allowed.write(f"{name} {options} {self.key(key or name).with_suffix('.pub').read_text()}")

    def sign(self, path: Path, name: str, key: str = "", namespace: str = NAMESPACE) -> None:
        argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", self.key(key or name), path]
        subprocess.run(argv, check=True, capture_output=True)
        path.with_name("approval.yml.sig").rename(path.with_name(f"{name}.sig"))

    def ask(self, id_: str = "a-1", signed_by: tuple[str, ...] = (), folder: str = "", **more: str) -> Path:
        path = self.approvals / (folder or id_) / "approval.yml"
        path.parent.mkdir()
        path.write_text(TEXT.format(id=id_, **{**DEFAULTS, **more}))
        for name in signed_by:
            self.sign(path, name)
        return path

    def problems(self, stack: str = "") -> list[str]:
        with pytest.raises(DataError) as refused:
            load_approvals(self.approvals, stack, NOW)
        return list(map(str, refused.value.problems))


@pytest.fixture
def people(tmp_path: Path) -> People:
    """Two people whose signatures count."""
    made = People(tmp_path)
    made.know("ciso")
    made.know("director")
    return made


def test_what_two_people_signed_is_taken(people: People) -> None:
    people.ask(signed_by=("ciso", "director"))

    (found,) = load_approvals(people.approvals, now=NOW)

    assert (found.id, found.stack, found.allows) == ("a-1", "fleet.cikarang", ["freeze"])


@pytest.mark.parametrize(("signed_by", "named"), [((), "nobody"), (("ciso",), "ciso")])
def test_one_person_is_not_enough(people: People, signed_by: tuple[str, ...], named: str) -> None:
    people.ask(signed_by=signed_by)

    (said,) = people.problems()

    assert f"needs the signatures of 2 people in allowed_signers, and has those of: {named}" in said
    assert "approval.yml:2: id: " in said


def test_one_person_who_signs_twice_is_one_person(people: People) -> None:
    path = people.ask(signed_by=("ciso",))
    people.sign(path, "director", key="ciso")  # the director's name, the other's key
    (path.parent / "ciso-2.sig").write_bytes((path.parent / "ciso.sig").read_bytes())

    (said,) = people.problems()

    assert "has those of: ciso " in f"{said} "
    assert "ciso, " not in said


@pytest.mark.parametrize("options", [f'namespaces="{NAMESPACE}"', 'namespaces="balai-approval,other" '])
def test_a_key_that_is_listed_under_a_second_name_is_still_one_person(people: People, options: str) -> None:
    people.know("deputy", key="ciso", options=options)
    path = people.ask(signed_by=("ciso",))
    people.sign(path, "deputy", key="ciso")

    (said,) = people.problems()

    assert "allowed_signers:3: " in said
    assert "this key is ciso's already" in said


@pytest.mark.parametrize("pattern", ["*", "ciso*", "first,second", "pe?son", '"first,second"'])
def test_a_pattern_is_no_name_of_a_person(people: People, pattern: str) -> None:
    people.know(pattern, key="third")
    path = people.ask()
    for name in ("first", "second"):
        people.sign(path, name, key="third")

    said = people.problems()

    assert any("allowed_signers:3: " in line and "one key under many names" in line for line in said)


def test_a_person_may_have_two_keys_and_a_remark_is_no_person(people: People) -> None:
    people.know("ciso", key="ciso-new")
    with (people.approvals / "allowed_signers").open("a") as allowed:
        allowed.write(f"# old: {people.key('ciso').with_suffix('.pub').read_text()}\n")
    path = people.ask(signed_by=("director",))
    people.sign(path, "ciso", key="ciso-new")

    assert len(load_approvals(people.approvals, now=NOW)) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [("fleet.cikarang", "fleet.batam"), ("[freeze]", "[freeze, deletion]"), ("2026-11-30", "2026-12-01"), ("id: ", "id:  ")],
)  # fmt: skip
def test_a_change_after_signing_voids_both_signatures(people: People, old: str, new: str) -> None:
    path = people.ask(signed_by=("ciso", "director"))
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))

    (said,) = people.problems()

    assert "has those of: nobody" in said


def test_a_signature_of_another_approval_does_not_count(people: People) -> None:
    first, second = people.ask("a-1", ("ciso", "director")), people.ask("a-2", ("ciso",))
    (second.parent / "director.sig").write_bytes((first.parent / "director.sig").read_bytes())

    (said,) = people.problems()

    assert "a-2/approval.yml" in said
    assert "has those of: ciso" in said


def test_a_signature_for_another_purpose_does_not_count(people: People) -> None:
    path = people.ask(signed_by=("ciso",))
    people.sign(path, "director", namespace="balai-exception")

    assert "has those of: ciso" in people.problems()[0]


def test_who_may_only_sign_exceptions_allows_no_change(people: People) -> None:
    people.know("auditor", options='namespaces="balai-exception"')
    people.ask(signed_by=("ciso", "auditor"))

    assert "has those of: ciso" in people.problems()[0]


@pytest.mark.parametrize("day", ["20200101", "20261101"])
def test_who_has_left_signs_no_more(people: People, day: str) -> None:
    people.know("left", options=f'namespaces="{NAMESPACE}",valid-before="{day}"')
    people.ask(signed_by=("ciso", "left"))

    assert "has those of: ciso" in people.problems()[0]


def test_a_stranger_is_nobody(people: People) -> None:
    path = people.ask(signed_by=("ciso", "stranger"))
    people.sign(path, "director", key="stranger")

    assert "has those of: ciso" in people.problems()[0]


def test_without_a_list_of_people_nobody_has_signed(people: People) -> None:
    people.ask(signed_by=("ciso", "director"))
    (people.approvals / "allowed_signers").unlink()

    assert "has those of: nobody" in people.problems()[0]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"expires": "2026-12-05"}, "at most 14 days after `requested`"),
        ({"expires": "2027-11-20"}, "at most 14 days after `requested`"),
        ({"requested": "2026-12-01"}, "at most 14 days after `requested`"),
        ({"folder": "a-2"}, "should be the folder's name, a-2"),
        ({"stack": "mall.banyuwangi"}, "should match"),
        ({"stack": '"*"'}, "should match"),
        ({"allows": "[everything]"}, "'freeze', 'window' or 'deletion'"),
        ({"allows": "[]"}, "at least 1"),
        ({"expires": "2026-11-31"}, "should be a date"),
    ],
)
def test_what_reaches_too_far_is_refused_although_two_people_signed_it(
    people: People, more: dict[str, str], words: str
) -> None:
    people.ask(signed_by=("ciso", "director"), **more)

    (said,) = people.problems()

    assert words in said
    assert "approval.yml:" in said


def test_an_approval_may_last_fourteen_days_and_one_day(people: People) -> None:
    people.ask("a-1", ("ciso", "director"), expires="2026-12-04")
    people.ask("a-2", ("ciso", "director"), requested="2026-11-24", expires="2026-11-24")

    assert len(load_approvals(people.approvals, now=NOW)) == 2


def test_every_problem_of_every_approval_is_said_at_once(people: People) -> None:
    people.ask("a-1", ("ciso",), folder="b-1", expires="2027-01-01")
    people.ask("a-2", allows="[windows]")
    (people.approvals / "a-3").mkdir()
    (people.approvals / "a-3/approval.yml").write_text("id: [a-3\n")
    people.know("deputy", key="ciso")

    said = "\n".join(people.problems())

    for words in (
        "this key is ciso's already",
        "'freeze', 'window' or 'deletion'",
        "not YAML",
        "should be the folder's name, b-1",
        "at most 14 days",
        "has those of: ciso",
    ):
        assert words in said, words


def test_one_that_has_ended_allows_nothing_and_holds_nobody_up(people: People) -> None:
    """Whoever signed it may have left since: every later change of the stack would be refused for its sake."""
    people.ask("a-1", ("ciso", "left"), requested="2026-11-01", expires="2026-11-10")

    (found,) = load_approvals(people.approvals, now=NOW)

    assert found.id == "a-1"
    assert approved("fleet.cikarang", NOW, (found,)) == frozenset()


END = {"stack": "tenant.cikarang.pajak", "allows": "[deletion]\nowner: djp"}


def test_what_is_a_tenant_s_goes_when_one_has_signed_for_the_platform_and_another_for_its_owner(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approvals, "FOLDER", people.approvals)
    people.know("sari", options=f'namespaces="{role_of("djp")}"')
    path = people.ask(signed_by=("ciso",), **END)
    people.sign(path, "sari", namespace=role_of("djp"))

    (found,) = deletions(END["stack"], "djp", NOW)

    assert signed_by(found, path) == {NAMESPACE: ["ciso"], role_of("djp"): ["sari"]}
    assert deletions(END["stack"], "bkn", NOW) == [], "whose data it is now has not been asked"
    assert deletions("tenant.batam.pajak", "djp", NOW) == []


@pytest.mark.parametrize(
    ("third", "role", "said"),
    [
        ("director", NAMESPACE, "none was made with -n balai-approval-djp"),  # two for the platform
        ("sari", NAMESPACE, "has those of: ciso "),  # her key may not sign for the platform
        ("sari", "balai-approval-bkn", "has those of: ciso "),  # nor for another agency
        ("director", "balai-approval-djp", "has those of: ciso "),  # and the platform's none for an owner
    ],
)
def test_nobody_signs_in_a_role_that_is_not_written_beside_the_key(
    people: People, third: str, role: str, said: str
) -> None:
    people.know("sari", options='namespaces="balai-approval-djp"')
    path = people.ask(signed_by=("ciso",), **END)
    people.sign(path, third, namespace=role)

    (problem,) = people.problems()

    assert said in f"{problem} "


@pytest.mark.parametrize(
    "more", [{"stack": "tenant.cikarang.pajak", "allows": "[deletion]"}, {"allows": "[freeze]\nowner: djp"}]
)
def test_whose_data_goes_is_named_where_it_goes_and_nowhere_else(people: People, more: dict[str, str]) -> None:
    people.ask(signed_by=("ciso", "director"), **more)

    (said,) = people.problems()

    assert "owner stands where a tenant's deletion is allowed, and only there" in said


def test_one_that_is_not_signed_holds_up_its_own_stack_alone(people: People) -> None:
    people.ask("a-1", ("ciso",), stack="fleet.batam")
    people.ask("a-2", ("ciso", "director"))

    assert [a.id for a in load_approvals(people.approvals, "fleet.cikarang", NOW)] == ["a-2"]
    assert len(people.problems("fleet.batam")) == 1


def approval(**more: Any) -> Approval:
    given = {**DEFAULTS, "id": "a-1", "reason": "for the test", "allows": ["freeze"], **more}
    return Approval.model_validate(given)


@pytest.mark.parametrize(
    ("now", "allowed"),
    [
        ("2026-11-19T23:59:59+07:00", False),
        ("2026-11-20T00:00:00+07:00", True),
        ("2026-11-19T16:59:59+00:00", False),
        ("2026-11-19T17:00:00+00:00", True),
        ("2026-11-30T23:59:59+07:00", True),
        ("2026-11-30T16:59:59+00:00", True),
        ("2026-12-01T01:59:59+09:00", True),
        ("2026-11-30T17:00:00+00:00", False),
        ("2026-12-01T00:00:00+07:00", False),
    ],
)
def test_it_holds_from_its_first_to_its_last_day_in_jakarta(now: str, allowed: bool) -> None:
    found = approved("fleet.cikarang", datetime.datetime.fromisoformat(now), (approval(),))

    assert found == (frozenset({"freeze"}) if allowed else frozenset())


def test_it_allows_what_it_names_for_the_stack_that_it_names() -> None:
    both = (approval(allows=["window", "freeze"]), approval(id="a-2", stack="fleet.batam", allows=["deletion"]))

    assert approved("fleet.cikarang", NOW, both) == {"window", "freeze"}
    assert approved("fleet.batam", NOW, both) == {"deletion"}
    assert approved("fleet.cikarang2", NOW, both) == frozenset()
    assert approved("tenant.cikarang.pajak", NOW, both) == frozenset()


def test_the_project_s_own_folder_is_right_and_allows_nothing_by_itself() -> None:
    assert load_approvals(Path(approvals.__file__).resolve().parents[2] / "policies/approvals", now=NOW) == ()
