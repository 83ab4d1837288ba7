"""`balai check`: verdicts, lines and exit codes on files as users have them."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from balai.errors import DataError
from balai.rules import files, load_rules
from balai.rules.cases import base, merged
from balai.rules.manifests import MOST_BYTES

BAD = """apiVersion: v1
kind: Pod
metadata: {name: a, namespace: tenant-x}
spec: {hostNetwork: true, containers: []}
"""
COUNT = sum("file" in rule.points for rule in load_rules())
GOOD = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"


def test_a_denied_object_is_named_with_file_line_rule_and_fix(balai, tmp_path: Path) -> None:
    path = tmp_path / "pod.yml"
    path.write_text(GOOD + "---\n" + BAD)

    done = balai("check", str(path))

    (line,) = [line for line in done.stdout.splitlines() if "no_host_namespaces" in line]
    assert done.returncode == 1
    assert line.startswith(f"{path}:9:8: deny: [no_host_namespaces] Pod tenant-x/a: ")
    assert line.endswith("Take out hostNetwork, hostPID and hostIPC.")


def test_objects_inside_a_list_and_on_standard_input_are_judged(balai) -> None:
    item = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "List",
            "metadata": {},
            "items": [
                {
                    "apiVersion": "v1",
                    "kind": "Pod",
                    "metadata": {"name": "a"},
                    "spec": {"hostPID": True, "containers": []},
                }
            ],
        }
    )

    done = balai("check", "-", stdin=item)

    assert done.returncode == 1
    assert re.search(r"^-:1:\d{3}: deny: \[no_host_namespaces\] Pod a", done.stdout, re.MULTILINE)


def test_the_category_of_a_namespace_among_the_objects_counts(balai) -> None:
    namespace = (
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: tenant-x, labels: {balai.internal/tenant: x, "
        "balai.internal/agency: djp, balai.internal/category: rendah, balai.internal/data-class: public}}\n---\n"
    )
    rule = "run_as_non_root"
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: tenant-x}\nspec: {containers: [{name: c, image: x}]}\n"

    low, unknown = balai("check", "-", stdin=namespace + pod), balai("check", "-", stdin=pod)

    assert f" warn: [{rule}]" in low.stdout
    assert f" deny: [{rule}]" in unknown.stdout


def test_good_files_exit_0_in_indonesian_as_well(balai, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)

    done = balai("check", str(tmp_path), BALAI_LANG="id")

    assert (done.returncode, done.stdout.strip()) == (0, f"1 objek diperiksa dengan {COUNT} aturan, tidak ada temuan.")


def test_json_has_a_finding_for_each_rule_broken(balai) -> None:
    found = json.loads(balai("check", "--json", "-", stdin=BAD).stdout)["findings"]

    assert {item["rule"] for item in found} >= {"no_host_namespaces", "no_default_token"}
    assert all(item["controls"] and item["remediation"]["id"] for item in found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1\n", "not YAML"),
        ("just text\n", "no Kubernetes object"),
        ("kind: Pod\n", "no Kubernetes object"),
    ],
)
def test_what_is_no_manifest_is_bad_input(text: str, words: str, balai) -> None:
    done = balai("check", "-", stdin=text)

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_bad_input(balai) -> None:
    done = balai("check", "/nowhere/x.yml")

    assert done.returncode == 2
    assert "/nowhere/x.yml: the file cannot be read" in done.stderr


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("kind: Pod\nmetadata: {name: a}\nspec: {hostPID: true, template: {spec: {}}}\n", 1, "no_host_namespaces"),
        ("kind: Pod\nmetadata: {name: a}\nspec: {hostPID: true, jobTemplate: {}}\n", 1, "no_host_namespaces"),
        (
            "kind: List\nitems: [{kind: List, items: [{kind: Pod, metadata: {name: a}, spec: {hostPID: true}}]}]\n",
            1,
            "no_host",
        ),
        ("kind: List\nmetadata: {}\nitems: 5\n", 0, "1 objects judged"),
        ("kind: Pod\nmetadata: {name: a, labels: [x]}\n", 2, "metadata.labels: should hold texts by name"),
        ("kind: Pod\nmetadata: {name: a, labels: {x: 1}}\n", 2, "metadata.labels: should hold texts by name"),
        ("kind: Pod\nmetadata: {name: [a]}\n", 2, "metadata.name: should be text"),
        ("kind: pod\nmetadata: {name: a}\nspec: {hostPID: true}\n", 2, "kind: there is no such kind"),
        ("kind: ConfigMap\nmetadata: {name: a}\ndata: {x: !!int abc}\n", 2, "not what its form says"),
        ("kind: ConfigMap\nmetadata: {name: a}\ndata: {x: 2020-13-45}\n", 0, "1 objects judged"),
        ("kind: ConfigMap\nmetadata: {name: a}\nmetadata: {name: b}\n", 2, ":3: metadata: the key is given twice"),
        ('{"kind": "Pod", "kind": "ConfigMap", "metadata": {"name": "a"}}', 2, "given twice"),
        ("kind: Pod\nmetadata: {name: a}\nspec: {containers: abc}\n", 2, "not shaped like a Pod"),
        ("kind: Deployment\nmetadata: {name: a}\nspec: [x]\n", 2, "not shaped like a Deployment"),
        ("a: &a [x]\n" + "kind: &k {x: *a}\n", 2, "no Kubernetes object"),
        ("kind: ConfigMap\nmetadata: {name: a}\ndata: &d {x: *d}\n", 2, "lie more than"),
        ("kind: ConfigMap\nmetadata: {name: a}\nx: " + "[" * 100 + "]" * 100 + "\n", 2, "lie more than 60 deep"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"{c}: &{c} [{','.join(['*' + b] * 10)}]\n" for b, c in zip("abcdef", "bcdefg", strict=True)),
            2,
            "unfolds to more than",
        ),
        ('{"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "\\ud83d\\ude00"}}', 0, "1 objects judged"),
        ("\ufeffkind: ConfigMap\nmetadata: {name: a}\n", 0, "1 objects judged"),
        ("%YAML 1.1\n---\nkind: ConfigMap\nmetadata: {name: a}\n", 0, "1 objects judged"),
        ("# only a comment\n", 0, "0 objects judged"),
        ("a: " + "[" * 30_000, 2, "lie more than"),
        ("- " * 30_000 + "x\n", 2, "lie more than"),
        ("kind: Deploymnt\nmetadata: {name: a}\n", 0, "1 object(s) that no rule is about"),
        (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yml]\n",
            0,
            "0 objects judged",
        ),
        (
            '{"kind": "Pod", "metadata": {"name": "a", "annotations": {"x": "\\ud83d\\ude00"}}, "spec": {"hostPID": true}}',
            1,
            "-:1:1: deny: [no_host_namespaces]",
        ),
        (
            "kind: Pod\nmetadata: {name: a}\nspec: {securityContext: {runAsUser: 0o0}, containers: []}\n",
            1,
            "user_not_root",
        ),
        ("kind: ConfigMap\nmetadata: {name: a}\ndata: {x: =}\n", 0, "1 objects judged"),
        (
            "x: &a {p: 1, q: 2}\n"
            + "".join(
                f"k{n}: &{c} {{<<: [*{b}, *{b}], z{n}: {{<<: *{b}}}}}\n"
                for n, (b, c) in enumerate(zip("abcdefghijklmnopqrs", "bcdefghijklmnopqrst", strict=True))
            ),
            2,
            "unfolds to more than",
        ),
    ],
)
def test_odd_manifests_hide_nothing_and_break_nothing(text: str, code: int, words: str, balai) -> None:
    done = balai("check", "-", stdin=text)

    assert "Traceback" not in done.stderr
    assert "does not know" not in done.stderr
    assert (done.returncode, words in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr


def test_every_file_s_problems_are_told_at_once_and_nothing_is_judged(balai, tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("a: [1\n")
    (tmp_path / "b.yml").write_text("kind: Pod\nmetadata: {name: a}\nspec: {containers: abc}\n")
    (tmp_path / "c.yml").write_text(BAD)

    done = balai("check", str(tmp_path))

    assert done.returncode == 2
    assert "a.yml:" in done.stderr
    assert "b.yml:1:" in done.stderr
    assert done.stdout == ""


def test_a_file_that_is_too_large_is_refused_and_many_documents_are_judged(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at most 32 MiB"):
        files.judge({"big.yml": "# " + "x" * MOST_BYTES})

    verdict = files.judge({"many.yml": GOOD * 10_000})

    assert verdict.objects == 10_000


def test_a_date_that_yaml_makes_of_text_is_no_finding(balai) -> None:
    good = json.loads(json.dumps(base("Deployment")))
    good["metadata"]["creationTimestamp"] = "STAMP"

    done = balai("check", "-", stdin=yaml.safe_dump(good).replace("STAMP", "2026-01-01T00:00:00Z"))

    assert done.returncode == 0, done.stdout


def test_what_cannot_be_judged_without_the_namespace_is_said(balai) -> None:
    done = balai("check", "-", stdin=yaml.safe_dump(base("Ingress")))

    assert done.returncode == 0
    assert "Not judged, because Namespace is not among the files: ingress_owner_domain" in done.stdout


def test_a_namespace_is_judged_as_a_whole_with_what_is_in_it(balai) -> None:
    def inside(kind: str) -> dict:
        return merged(base(kind), {"metadata": {"namespace": "tenant-uji"}})

    bare = [base("Namespace")]
    whole = [*bare, *map(inside, ("NetworkPolicy", "ResourceQuota", "LimitRange", "Deployment", "PodDisruptionBudget"))]

    found, clean = (balai("check", "-", stdin=yaml.safe_dump_all(docs)) for docs in (bare, whole))

    assert "deny: [tenant_default_deny] Namespace tenant-uji" in found.stdout
    assert (clean.returncode, "no findings" in clean.stdout) == (0, True), clean.stdout


def test_sarif_names_rule_level_line_and_column(balai) -> None:
    log = json.loads(balai("check", "--format", "sarif", "-", stdin=BAD).stdout)

    (run,) = log["runs"]
    result = next(r for r in run["results"] if r["ruleId"] == "no_host_namespaces")
    assert (log["version"], result["level"]) == ("2.1.0", "error")
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "no_host_namespaces"
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 4, "startColumn": 8}


def test_junit_has_a_failure_for_each_denial(balai) -> None:
    root = ET.fromstring(balai("check", "--format", "junit", "-", stdin=BAD).stdout)

    (suite,) = root
    denied = [case for case in suite if case.find("failure") is not None]
    assert int(suite.get("failures", "0")) == len(denied) > 0
    assert any("no_host_namespaces" in str(case.get("name")) for case in denied)


def test_a_name_that_would_command_the_terminal_is_shown_as_what_it_is(balai) -> None:
    pod = json.dumps({"kind": "Pod", "metadata": {"name": "a\x1b[31m\x01"}, "spec": {"hostPID": True}})

    text, junit = balai("check", "-", stdin=pod).stdout, balai("check", "--format", "junit", "-", stdin=pod).stdout

    assert "\x1b" not in text
    assert ET.fromstring(junit).tag == "testsuites"


def test_whoever_asks_decides_how_strictly_and_not_a_file_among_the_others(balai) -> None:
    low = merged(base("Namespace"), {"metadata": {"labels": {"balai.internal/category": "rendah"}}})
    pod = merged(
        base("Pod"), {"metadata": {"namespace": "tenant-uji"}, "spec": {"securityContext": {"runAsNonRoot": None}}}
    )

    said, held = (
        balai("check", *more, "-", stdin=yaml.safe_dump_all([low, pod])) for more in ((), ("--category", "strategis"))
    )
    twice = balai("check", "-", stdin=yaml.safe_dump_all([base("Namespace"), low, pod]))

    assert " warn: [run_as_non_root]" in said.stdout
    assert " deny: [run_as_non_root]" in held.stdout
    assert (twice.returncode, "two may say two categories" in twice.stderr) == (2, True)


def test_a_folder_without_manifests_is_no_pass(balai, tmp_path: Path) -> None:
    done = balai("check", str(tmp_path))

    assert done.returncode == 2
    assert "no .yml, .yaml or .json file" in done.stderr


def test_inventories_are_validated_and_what_their_tenants_bring_is_judged(balai, root: Path, tmp_path: Path) -> None:
    inventories = tmp_path / "inventories"
    shutil.copytree(root / "inventories", inventories)

    assert balai("check", str(inventories)).returncode == 0
    assert json.loads(balai("check", str(inventories), "--json").stdout)["objects"] == 0

    (inventories / "pod.yml").write_text(BAD)
    tenant = inventories / "tenants/hukum.yml"
    tenant.write_text(tenant.read_text() + "manifests: [pod.yml]\n")
    judged = balai("check", str(inventories))
    assert judged.returncode == 1
    assert "[no_host_namespaces]" in judged.stdout

    tenant.write_text(tenant.read_text().replace("owner: ", "owner: nobody-"))
    wrong = balai("check", str(inventories))
    assert wrong.returncode == 2
    assert "tenants/hukum.yml" in wrong.stderr
