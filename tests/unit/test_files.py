"""`balai check`: verdicts, lines and exit codes on files as users have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

BAD = """apiVersion: v1
kind: Pod
metadata: {name: a, namespace: tenant-x}
spec: {hostNetwork: true, containers: []}
"""
GOOD = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"


def test_a_denied_object_is_named_with_file_line_rule_and_fix(balai, tmp_path: Path) -> None:
    path = tmp_path / "pod.yml"
    path.write_text(GOOD + "---\n" + BAD)

    done = balai("check", str(path))

    (line,) = [line for line in done.stdout.splitlines() if "no_host_namespaces" in line]
    assert done.returncode == 1
    assert line.startswith(f"{path}:6: deny: [no_host_namespaces] Pod tenant-x/a: ")
    assert line.endswith("Remove hostNetwork, hostPID and hostIPC.")


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
    assert "-:1: deny: [no_host_namespaces] Pod a" in done.stdout


def test_the_category_of_a_namespace_among_the_objects_counts(balai) -> None:
    namespace = (
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: tenant-x, labels: {balai.internal/tenant: x, "
        "balai.internal/agency: djp, balai.internal/category: rendah, balai.internal/data-class: public}}\n---\n"
    )
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: tenant-x}\nspec: {containers: [{name: c, image: x}]}\n"

    low, unknown = balai("check", "-", stdin=namespace + pod), balai("check", "-", stdin=pod)

    assert "deny" not in low.stdout.replace("0 denied", "")
    assert (low.returncode, unknown.returncode) == (0, 1)


def test_good_files_exit_0_in_indonesian_as_well(balai, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)

    done = balai("check", str(tmp_path), BALAI_LANG="id")

    assert (done.returncode, done.stdout.strip()) == (0, "1 objek diperiksa, tidak ada temuan.")


def test_json_has_a_finding_for_each_rule_broken(balai) -> None:
    found = json.loads(balai("check", "--json", "-", stdin=BAD).stdout)

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
        ("kind: Pod\nmetadata: {name: a, labels: [x]}\n", 2, "no Kubernetes object"),
        ("kind: Pod\nmetadata: {name: [a]}\n", 2, "no Kubernetes object"),
        ("kind: ConfigMap\nmetadata: {name: a}\ndata: {x: !!int abc}\n", 2, "not what its form says"),
        ("kind: ConfigMap\nmetadata: {name: a}\ndata: {x: 2020-13-45}\n", 2, "not what its form says"),
    ],
)
def test_odd_manifests_hide_nothing_and_break_nothing(text: str, code: int, words: str, balai) -> None:
    done = balai("check", "-", stdin=text)

    assert "Traceback" not in done.stderr
    assert (done.returncode, words in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr


def test_a_date_that_yaml_makes_of_text_is_no_finding(balai, root) -> None:
    good = (root / "policies/rules/kubernetes/no_host_path/good.yml").read_text().split("\n---\n")[0]

    done = balai(
        "check", "-", stdin=good.replace("metadata:", "metadata:\n  creationTimestamp: 2026-01-01T00:00:00Z", 1)
    )

    assert done.returncode == 0, done.stdout
