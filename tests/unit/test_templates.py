"""Every template is instantiated into a copy of the tree, and what comes of it passes the project's own checks."""

from __future__ import annotations

import datetime
import inspect
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from balai import onboarding, scaffold
from balai.audit import report
from balai.audit.judge import Audit
from balai.errors import DataError
from balai.estate import load_estate
from balai.mall import drawing, routeros, wiring
from balai.pages import TEMPLATES
from balai.rules import Judge, load_rules
from balai.rules.cases import cases_of
from balai.rules.locate import culprit
from balai.sites import load_site
from balai.yamlfile import Document, parse
from tests.conventions import test_conventions as conventions
from tests.policies import mutation

ROOT = TEMPLATES.parent
ROLE = "name: print_labels\npurpose: Print labels of queue numbers\n"
RULE = """name: service_not_external
subject: service
field: spec.type
good: ClusterIP
bad: ExternalName
control: BSSN4-33-2-d
why: A name of another zone sends citizens where nobody looks
"""
POD = RULE.replace("service_not_external", "no_host_users").replace("service", "podspec")
FIELDS = {
    "a word": RULE,
    "yes or no, below a pod": POD.replace("spec.type", "hostIPC").replace("ClusterIP", "false").replace("ExternalName", "true"),
    "a number": POD.replace("spec.type", "terminationGracePeriodSeconds").replace("ClusterIP", "30").replace("ExternalName", "0"),
    "each container": POD.replace("spec.type", "'containers[].tty'").replace("ClusterIP", "false").replace("ExternalName", "true"),
    "far below": POD.replace("spec.type", "securityContext.seLinuxOptions.type").replace("ClusterIP", "container_t"),
}  # fmt: skip
TENANT = f"""name: perizinan-mappi
title: Perizinan
title_en: Licences
owner: dukcapil
legal_ground: belum dibaca siapa pun
image: registry.balai.internal/lab/page@sha256:{"0" * 64}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what is instantiated into."""
    for name in ("roles", "inventories"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("bases.yml", "kubernetes/no_host_path", "kubernetes/service_inside"):  # all of them would only be slow
        path = ROOT / "policies/rules" / name
        there = tmp_path / "policies/rules" / name
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(path, there) if path.is_dir() else shutil.copy(path, there)
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


def document(text: str) -> Document:
    return parse(text, "answers")


def a_site(tree: Path) -> None:
    root = tree / "inventories"
    onboarding.write(root, onboarding.site_change(root, document("region: Mappi")))
    assert "mpp-mappi" in load_estate(root).sites


def a_tenant(tree: Path) -> None:
    root = tree / "inventories"
    onboarding.write(root, onboarding.tenant_change(root, document(TENANT), datetime.date(2026, 11, 25)))
    assert load_estate(root).tenants["perizinan-mappi"].status == "requested"


def a_role(tree: Path) -> None:
    scaffold.write(scaffold.role(tree, document(ROLE)))

    role, checks = tree / "roles/print_labels", conventions.TestRoles()
    tests = [test for name, test in inspect.getmembers(checks, inspect.ismethod) if name.startswith("test_")]
    assert len(tests) >= 5
    for test in tests:
        test(role)
    assert {path.name for path in (role / "tasks").iterdir()} == {f"{t}.yml" for t in ("main", "validate", "install", "configure")}  # fmt: skip
    for path in role.rglob("*.yml"):
        assert path.read_text().startswith("---\n")
        assert yaml.safe_load(path.read_text()) is not None
    assert "NAME" not in "".join(str(path) for path in role.rglob("*"))


def a_rule(tree: Path) -> None:
    before = len(load_rules(tree / "policies/rules"))
    scaffold.write(scaffold.rule(tree, document(RULE)))

    assert len(load_rules.__wrapped__(tree / "policies/rules")) == before + 1
    assert f"{before + 1} rules with good and bad cases" in (tree / "README.md").read_text()


def a_mall(tree: Path) -> None:
    view = load_site(tree / "inventories/sites/mpp-banyuwangi.yml")
    assert "/interface bridge" in routeros.render(view)
    assert "<svg" in drawing.draw(view)
    assert "<table" in wiring.sheet(view)


def a_report(_: Path) -> None:
    audit = Audit(results=[], covered=[], began=130.0, unchecked=[], seconds=2.0, subjects=["mpp-x"])
    assert "mpp-x" in report.html(audit)


WAYS: dict[str, Callable[[Path], None]] = {
    "site": a_site,
    "tenant": a_tenant,
    "role": a_role,
    "rule": a_rule,
    "mall": a_mall,
    "report": a_report,
}


@pytest.mark.parametrize("folder", sorted(path.name for path in TEMPLATES.iterdir()))
def test_every_folder_of_templates_is_instantiated_and_passes_the_project_s_checks(folder: str, tree: Path) -> None:
    assert folder in WAYS, "a template that nothing instantiates rots"

    WAYS[folder](tree)


@pytest.mark.parametrize("answers", FIELDS.values(), ids=FIELDS)
def test_a_new_rule_passes_its_good_cases_fails_its_bad_ones_and_leaves_no_mutant(
    answers: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = scaffold.rule(tree, document(answers))
    scaffold.write(made)
    monkeypatch.setattr(conventions, "FOLDER", tree / "policies/rules")

    (rule,) = [rule for rule in load_rules.__wrapped__(tree / "policies/rules") if rule.id == made.folder.name]
    judge = Judge("file", rules=[rule], exceptions=())
    cases = cases_of(rule, tree / "policies/rules")
    verdicts = {(case.good, bool(list(judge.judge(case.manifest, None, case.surroundings)))) for case in cases}
    assert verdicts == {(True, False), (False, True)}
    conventions.test_a_rule_has_its_cases_and_names_controls_that_exist(rule)
    conventions.test_a_rule_denies_on_a_text_that_was_read_or_on_a_technical_ground(rule)
    prepared = [mutation._prepared(case) for case in cases]
    assert [m.change for m in mutation.mutants(rule) if mutation.survives(m, prepared, {"data": {}})] == []
    for case in (case for case in cases if not case.good):
        seen = judge.prepared(case.manifest, case.surroundings)
        assert culprit(rule, seen, lambda item, case=case: judge.breaks(rule, item, None, case.surroundings))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("service_not_external", "no_host_path", "there is one already"),
        ("service_not_external", "No_Host_Path", "differs from no_host_path only in case"),
        ("subject: service", "subject: servis", "Did you mean 'service'"),
        ("subject: service", "subject: tenant", "no such subject of one object"),
        ("spec.type", "'containers[].tty'", "a service has no containers"),
        ("spec.type", "spec.ports[0]", "should match"),
        ("ExternalName", "ClusterIP", "cannot be told from"),
        ("ExternalName", "true", "cannot be told from"),
        ("ExternalName", "\"it's\"", "should match"),
        ("BSSN4-33-2-d", "BSSN4-33-2-zz", "there is no such control"),
        ("why: A name", "whi: A name", "Did you mean 'why'"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_told_and_nothing_is_written(old: str, new: str, words: str, tree: Path) -> None:
    before = sorted(tree.rglob("*"))
    assert old in RULE

    with pytest.raises(DataError) as refused:
        scaffold.rule(tree, document(RULE.replace(old, new)))

    assert words in str(refused.value)
    assert sorted(tree.rglob("*")) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ROLE.replace("print_labels", "firewall"), "there is one already"),
        (ROLE.replace("print_labels", "Firewall"), "differs from firewall only in case"),
        (ROLE.replace("print_labels", "print-labels"), "should match"),
        (ROLE.replace("Print labels of queue numbers", "'Print {{ evil }} labels'"), "should match"),
        ("name: Firewall\npurpose: no\n", "should match"),
    ],
)
def test_a_role_that_cannot_be_is_told_and_nothing_is_written(text: str, words: str, tree: Path) -> None:
    with pytest.raises(DataError) as refused:
        scaffold.role(tree, document(text))

    assert words in str(refused.value)


def test_all_wrong_answers_are_told_at_once(tree: Path) -> None:
    text = "name: No_Host_Path\nsubject: servis\nfield: a[0]\ngood: 1\nbad: x\ncontrol: none\n"

    with pytest.raises(DataError) as refused:
        scaffold.rule(tree, document(text))

    keys = [problem.key for problem in refused.value.problems]
    assert sorted(set(keys)) == ["bad", "control", "field", "name", "subject", "why"]


def test_what_a_killed_run_left_is_removed_and_what_has_come_meanwhile_is_kept(tree: Path) -> None:
    left = tree / ".print_labels.partial"
    left.mkdir()
    (left / "rubbish.yml").write_text("half")

    made = scaffold.role(tree, document(ROLE))
    scaffold.write(made)

    assert not (tree / "roles/print_labels/rubbish.yml").exists()
    with pytest.raises(DataError, match="it has come meanwhile"):
        scaffold.write(made)
    assert (tree / "roles/print_labels/tasks/main.yml").is_file()
    assert list(tree.glob(".*")) == []
