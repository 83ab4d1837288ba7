"""What must run since a commit: asked of a real repository, where rendering is slow of a stand-in for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from balai import changes
from balai.changes import Affected, UnknownRevision, since
from balai.errors import BalaiError, EnvironmentFault
from balai.estate import load_estate

ESTATE = load_estate()
FEW = ("mpp-banyuwangi", "mpp-tuban")


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository whose rendering is the folder `rendered` as it stands in it."""
    folder = tmp_path / "project"
    for name in (
        "rendered/clusters/cikarang/foundation.yml",
        "rendered/clusters/cikarang/tenants/pajak.yml",
        "rendered/clusters/batam/tenants/pajak.yml",
        "rendered/data_centres/cikarang/fleet.yml",
        "rendered/sites/mpp-banyuwangi/mpp-banyuwangi-server-1.json",
        "rendered/sites/mpp-tuban/routeros.rsc",
        "roles/kiosk/tasks/main.yml",
        "site.yml",
        "README.md",
    ):
        write(folder / name, "as it was\n")
    git(tmp_path, "init", "--quiet", str(folder))
    write(folder / ".gitignore", "*.pyc\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "as it was")
    monkeypatch.setattr(changes, "ROOT", folder)
    monkeypatch.setattr(changes, "_render", lambda tree, out: shutil.copytree(tree / "rendered", out))
    yield folder
    assert len(git(folder, "worktree", "list").splitlines()) == 1, "the old tree is gone again"


def found(revision: str = "HEAD") -> tuple[tuple[str, ...], tuple[str, ...]]:
    affected = since(revision)
    return affected.stacks, affected.sites


ACTIVE = tuple(sorted(name for name, site in ESTATE.sites.items() if site.status == "active"))


@pytest.mark.parametrize(
    ("name", "stacks", "sites"),
    [
        ("README.md", (), ()),
        ("docs/new.md", (), ()),
        ("rendered/clusters/cikarang/tenants/pajak.yml", ("tenant.cikarang.pajak",), ()),
        ("rendered/clusters/batam/tenants/pajak.yml", ("tenant.batam.pajak",), ()),
        ("rendered/clusters/cikarang/tenants/new.yml", ("tenant.cikarang.new",), ()),
        ("rendered/clusters/cikarang/foundation.yml", ("foundation.cikarang",), ()),
        ("rendered/data_centres/cikarang/fleet.yml", ("fleet.cikarang",), ()),
        ("rendered/sites/mpp-tuban/routeros.rsc", (), ("mpp-tuban",)),
        ("rendered/.balai-rendered", (), ()),
        ("roles/kiosk/tasks/main.yml", (), ACTIVE),
        ("roles/kiosk/tasks/new.yml", (), ACTIVE),
        ("roles/kiosk/tasks/new.pyc", (), ()),
        ("site.yml", (), ACTIVE),
        ("ansible_collections/balai/mall/plugins/new.py", (), ACTIVE),
        ("balai/onsite/queue.py", (), ACTIVE),
        ("rolesque/main.yml", (), ()),
    ],
)
def test_a_file_affects_what_is_made_of_it_and_nothing_else(
    project: Path, name: str, stacks: tuple[str, ...], sites: tuple[str, ...]
) -> None:
    write(project / name, "changed\n")

    assert found() == (stacks, sites)


def test_what_is_committed_since_counts_as_what_is_not(project: Path) -> None:
    write(project / "rendered/clusters/cikarang/tenants/pajak.yml", "changed\n")
    write(project / "roles/kiosk/tasks/new.yml", "new\n")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "changed")

    assert found("HEAD~1") == (("tenant.cikarang.pajak",), ACTIVE)
    assert found() == ((), ())


@pytest.mark.parametrize(
    ("name", "stacks"),
    [
        ("inventories/clusters/cikarang.yml", ("fleet.cikarang",)),
        ("inventories/data_centres/batam.yml", ("fleet.cikarang",)),
        ("inventories/kubernetes.yml", ("fleet.cikarang",)),
        ("balai/fleet/node/kubelet.yml", ("fleet.cikarang",)),
        ("inventories/tenants/pajak.yml", ()),
        ("README.md", ()),
    ],
)
def test_clusters_that_cannot_be_rendered_yet_are_affected_by_whatever_they_are_made_of(
    project: Path, name: str, stacks: tuple[str, ...]
) -> None:
    """The reason stands in the rendering on both sides alike: compared, nothing would ever have changed."""
    write(project / "rendered/data_centres/cikarang/fleet.yml", "# Cannot be made yet: no image\n")
    write(project / "rendered/data_centres/batam/fleet.yml", "---\n")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "not yet")

    write(project / name, "changed\n")

    assert found() == (stacks, ())


def test_what_only_looks_like_a_change_affects_nothing(project: Path) -> None:
    path = project / "rendered/clusters/cikarang/foundation.yml"
    path.write_text("other\n")
    path.write_text("as it was\n")

    assert since("HEAD").nothing


def test_what_is_in_no_file_any_more_is_named_so_that_it_is_not_forgotten(project: Path) -> None:
    shutil.rmtree(project / "rendered/sites/mpp-tuban")
    shutil.move(project / "rendered/sites/mpp-banyuwangi", project / "rendered/sites/mpp-baru")
    (project / "rendered/clusters/batam/tenants/pajak.yml").unlink()

    assert found() == (("tenant.batam.pajak",), ("mpp-banyuwangi", "mpp-baru", "mpp-tuban"))
    assert since("HEAD").touch.sites_unknown > 0


def test_whom_it_reaches_is_told(project: Path) -> None:
    write(project / "rendered/clusters/cikarang/tenants/pajak.yml", "changed\n")

    affected = since("HEAD")

    assert affected.touch.tenants == ("pajak",)
    assert not affected.nothing
    assert json.loads(json.dumps(affected.as_json()))["stacks"] == ["tenant.cikarang.pajak"]


@pytest.mark.parametrize(
    "revision", ["no-such-branch", "HEAD~99", "0" * 40, "", "--all", "HEAD:README.md", "HEAD^{tree}"]
)
def test_a_commit_that_git_does_not_know_is_said(project: Path, revision: str) -> None:
    with pytest.raises(UnknownRevision) as refused:
        since(revision)

    assert isinstance(refused.value, BalaiError)
    assert repr(revision) in str(refused.value)


def test_a_side_that_cannot_be_rendered_is_said_and_leaves_no_tree_behind(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(tree: Path, out: Path) -> None:
        raise EnvironmentFault(f"{tree.name} cannot be rendered: a test asks for it")

    monkeypatch.setattr(changes, "_render", fail)

    with pytest.raises(EnvironmentFault, match="tree cannot be rendered"):
        since("HEAD")


def test_a_tree_that_a_killed_run_left_is_in_nobody_s_way(project: Path, tmp_path: Path) -> None:
    git(project, "worktree", "add", "--quiet", "--detach", str(tmp_path / "left"), "HEAD")
    shutil.rmtree(tmp_path / "left")

    assert since("HEAD").nothing


def test_without_git_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EnvironmentFault, match="git must be on PATH"):
        since("HEAD")


def test_a_folder_that_is_no_repository_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(changes, "ROOT", tmp_path)

    with pytest.raises(BalaiError):
        since("HEAD")


def test_both_sides_are_rendered_by_their_own_code_from_their_own_files(root: Path, tmp_path: Path, run) -> None:
    """With the real renderer, on a small estate: what the caller's environment names would be of one side alone."""
    copy = tmp_path / "copy"
    for name in ("balai", "stacks", "policies", "inventories", "ansible_collections", "templates"):
        shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (copy / "inventories/sites").iterdir():
        if path.stem not in FEW:
            path.unlink()
    for path in (copy / "inventories/tenants").iterdir():
        path.write_text(path.read_text().replace("clusters: [cikarang, batam]", "clusters: [cikarang]"))
    shutil.copy(root / ".gitignore", copy)
    git(tmp_path, "init", "--quiet", str(copy))
    git(copy, "add", "--all", "--force")
    git(copy, "commit", "--quiet", "--message", "as it was")
    tenant = copy / "inventories/tenants/hukum.yml"
    tenant.write_text(tenant.read_text().replace("pods: 20", "pods: 21"))
    write(copy / "README.md", "changed\n")

    ask = (sys.executable, "-m", "balai", "affected", "--since", "HEAD", "--json")
    done = run(*ask, cwd=copy, PYTHONPATH=str(copy), BALAI_INVENTORIES=str(copy / "inventories"))

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["stacks"], told["sites"]) == (["tenant.cikarang.hukum"], [])


def test_an_answer_without_stacks_and_malls_is_nothing() -> None:
    touch = changes.touch(ESTATE, [])

    assert Affected(stacks=(), sites=(), touch=touch).nothing
    assert not Affected(stacks=("fleet.batam",), sites=(), touch=touch).nothing
    assert not Affected(stacks=(), sites=("mpp-tuban",), touch=touch).nothing
