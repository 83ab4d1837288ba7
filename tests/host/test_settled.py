"""Many files and what puts them into force, in one task: on a real machine, also when the run is killed in between."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import testinfra
import yaml
from testinfra.host import Host

pytestmark = pytest.mark.lab

NAME = "mpp-banyuwangi-server-1"
PLACE = "/etc/balai-test"
Set = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def host() -> Host:
    return testinfra.get_host(f"ssh://{NAME}", ssh_config=os.environ["BALAI_SSH_CONFIG"], sudo=True)


@pytest.fixture(autouse=True)
def clean(host: Host) -> Iterator[None]:
    yield
    host.check_output(f"rm -rf {PLACE} /var/lib/balai/files/test")


@pytest.fixture
def settle(run: Callable[..., CompletedProcess[str]], root: Path, tmp_path: Path) -> Set:
    """Run the module by a playbook."""

    def make(files: list[dict[str, Any]], effects: list[dict[str, str]], *more: str) -> CompletedProcess[str]:
        task = {"name": "Settle", "balai.mall.files": {"name": "test", "files": files, "effects": effects}}
        path = tmp_path / "play.yml"
        path.write_text(yaml.safe_dump([{"hosts": NAME, "gather_facts": False, "become": True, "tasks": [task]}]))
        site = root / "inventories/sites/mpp-banyuwangi.yml"
        return run("ansible-playbook", str(path), "-i", str(site), *more, cwd=tmp_path)

    return make


def file(name: str, content: str, **more: Any) -> dict[str, Any]:
    return {"dest": f"{PLACE}/{name}", "content": content, **more}


COUNT = {"name": "count", "command": f"echo x >> {PLACE}/counted"}


def test_a_set_is_written_once_and_its_effect_comes_once(settle: Set, host: Host) -> None:
    files = [
        file("a", "one\n", mode="0640", needs=["count"]),
        file("deep/b", "two\n", needs=["count"]),
        {"dest": f"{PLACE}/c", "link": "deep/b"},
    ]

    told, first, second = (settle(files, [COUNT], *how) for how in (["--check", "--diff"], [], []))

    assert [f"changed={n}" in d.stdout for n, d in ((1, told), (1, first), (0, second))] == [True] * 3, first.stdout
    assert "+one" in told.stdout
    assert host.check_output(f"cat {PLACE}/counted") == "x"
    assert host.check_output(f"cat {PLACE}/c") == "two"
    assert host.check_output(f"stat -c '%a %U %G' {PLACE}/a") == "640 root root"


@pytest.mark.parametrize("change", ["chmod 666", "chown nobody", "sed -i s/one/other/"])
def test_what_somebody_changed_by_hand_is_put_right(settle: Set, host: Host, change: str) -> None:
    settle([file("a", "one\n")], [])
    host.check_output(f"{change} {PLACE}/a")

    assert "changed=1" in settle([file("a", "one\n")], []).stdout
    assert host.check_output(f"stat -c '%a %U' {PLACE}/a; cat {PLACE}/a") == "644 root\none"


@pytest.mark.parametrize("accident", ["false", "kill -9 $PPID; sleep 2"])
def test_what_could_not_be_put_into_force_is_by_the_next_run(settle: Set, host: Host, accident: str) -> None:
    files = [file("a", "one\n", needs=["count"])]

    failed = settle(files, [{**COUNT, "command": accident}])
    again, third = settle(files, [COUNT]), settle(files, [COUNT])

    assert failed.returncode != 0
    assert ["changed=1" in again.stdout, "changed=0" in third.stdout] == [True, True], again.stdout
    assert host.check_output(f"cat {PLACE}/counted") == "x"


def test_an_effect_that_does_not_hold_is_renewed_although_no_file_differs(settle: Set, host: Host) -> None:
    effect = {"name": "flag", "command": f"touch {PLACE}/flag", "holds": f"test -e {PLACE}/flag"}
    settle([file("a", "one\n")], [effect])
    host.check_output(f"rm {PLACE}/flag")

    told, done, again = (settle([file("a", "one\n")], [effect], *how) for how in (["--check"], [], []))

    assert [f"changed={n}" in d.stdout for n, d in ((1, told), (1, done), (0, again))] == [True] * 3
    assert "it still does not hold" in settle([], [{**effect, "holds": "false"}]).stdout


def test_a_full_disk_leaves_what_was_there_and_the_technician_is_told(settle: Set, host: Host) -> None:
    script = f"mkdir -p {PLACE}; mount -t tmpfs -o size=16k none {PLACE}; echo old > {PLACE}/kept; cat /dev/zero > {PLACE}/filler"
    host.run(f"sh -c '{script}'")
    try:
        done = settle([file("kept", "new\n" * 2000)], [])
        kept = host.check_output(f"cat {PLACE}/kept")
    finally:
        host.check_output(f"umount -l {PLACE}")

    assert done.returncode != 0
    assert "Diska penuh" in done.stdout
    assert kept == "old"


def test_every_wrong_file_is_told_and_none_is_written(settle: Set, host: Host) -> None:
    wrong = [file(name, "root ALL\n", validate="visudo -cf %s") for name in ("x", "y")]

    done = settle([file("a", "one\n"), *wrong], [])

    assert done.returncode != 0
    assert f"{PLACE}/x would be refused" in done.stdout
    assert f"{PLACE}/y would be refused" in done.stdout
    assert not host.file(PLACE).exists
    assert "No effect is named nothing" in settle([file("a", "one\n", needs=["nothing"])], []).stdout
