"""The technician at the mall: plain ansible-playbook, from anywhere, twice."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.lab

LIMIT = "localhost,routers,servers,mpp-banyuwangi-kiosk-1"
SITE = "inventories/sites/mpp-banyuwangi.yml"
HOSTS = ["mpp-banyuwangi-router-1", "mpp-banyuwangi-server-1", "mpp-banyuwangi-kiosk-1"]


def recap(said: str) -> dict[str, dict[str, int]]:
    """Return Ansible's counts by host."""
    return {
        line.split()[0]: {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}
        for line in said.splitlines()
        if re.match(r"\S+\s+: ok=", line)
    }


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder that is not the project's and has no ansible.cfg."""
    return tmp_path


def on(host: str, *argv: str) -> str:
    """Run a command on a host over SSH."""
    import os

    return subprocess.run(
        ["ssh", "-F", os.environ["BALAI_SSH_CONFIG"], host, *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    ).stdout


def test_a_second_run_from_another_folder_changes_nothing_and_check_says_so(run, root: Path, elsewhere: Path) -> None:
    hashes = (
        "sudo sh -c 'cat /etc/ssh/sshd_config.d/* /etc/sysctl.d/* /etc/chrony/chrony.conf /etc/balai/* | sha256sum'"
    )
    before = [on(host, hashes) for host in HOSTS]

    check = run(
        "ansible-playbook", str(root / "site.yml"), "-i", str(root / SITE), "--limit", LIMIT, "--check", cwd=elsewhere
    )
    real = run("ansible-playbook", str(root / "site.yml"), "-i", str(root / SITE), "--limit", LIMIT, cwd=elsewhere)

    for done in (check, real):
        assert done.returncode == 0, done.stdout + done.stderr
        assert {host: c["changed"] for host, c in recap(done.stdout).items()} == {
            "localhost": 0,
            **dict.fromkeys(HOSTS, 0),
        }
    assert [on(host, hashes) for host in HOSTS] == before
    assert all(before)


def test_check_tells_what_the_real_run_then_does(run, root: Path, elsewhere: Path) -> None:
    on(HOSTS[1], "sudo sed -i '$ a # tampered' /etc/chrony/chrony.conf")
    command = ("ansible-playbook", str(root / "site.yml"), "-i", str(root / SITE), "--limit", LIMIT)

    check, real = run(*command, "--check", cwd=elsewhere), run(*command, cwd=elsewhere)

    changed = [recap(done.stdout)[HOSTS[1]]["changed"] for done in (check, real)]
    assert changed[0] == changed[1] > 0
    assert recap(real.stdout)[HOSTS[0]]["changed"] == 0
    assert "# tampered" not in on(HOSTS[1], "cat /etc/chrony/chrony.conf")


def test_a_site_file_that_is_wrong_is_refused_with_every_problem(run, root: Path, elsewhere: Path) -> None:
    path = elsewhere / "mpp-banyuwangi.yml"
    path.write_text((root / SITE).read_text().replace("size: medium", "size: huge").replace("building:", "bilding:"))

    done = run(
        "ansible-inventory", "-i", str(path), "--list", cwd=elsewhere, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1"
    )

    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "mpp-banyuwangi.yml:8: size" in re.sub(r"\s+", " ", said) or re.search(
        r"mpp-banyuwangi\.yml:\d+: size", said
    )
    assert "Did you mean 'building'?" in said


def test_a_run_without_a_site_fails_in_words(run, root: Path, elsewhere: Path) -> None:
    done = run("ansible-playbook", str(root / "site.yml"), "-i", "localhost,", cwd=elsewhere)

    assert done.returncode != 0
    assert "No site was loaded" in done.stdout


def test_a_cordoned_site_is_not_worked_on(run, root: Path, elsewhere: Path) -> None:
    done = run(
        "ansible-playbook", str(root / "site.yml"), "-i", str(root / "inventories/sites/mpp-badung.yml"), cwd=elsewhere
    )

    assert done.returncode != 0
    assert "mpp-badung is cordoned" in done.stdout


def test_a_machine_that_carries_another_sites_name_is_left_alone(run, root: Path, elsewhere: Path) -> None:
    on(HOSTS[1], "echo mpp-badung | sudo tee /etc/balai/site")
    try:
        done = run(
            "ansible-playbook",
            str(root / "site.yml"),
            "-i",
            str(root / SITE),
            "--limit",
            f"localhost,{HOSTS[1]}",
            cwd=elsewhere,
        )
    finally:
        on(HOSTS[1], "echo mpp-banyuwangi | sudo tee /etc/balai/site")

    assert done.returncode != 0
    assert recap(done.stdout)[HOSTS[1]]["failed"] == 1
    assert recap(done.stdout)[HOSTS[1]]["changed"] == 0


def test_a_host_that_is_down_is_unreachable_and_said_so(run, root: Path, elsewhere: Path) -> None:
    done = run(
        "ansible-playbook", str(root / "site.yml"), "-i", str(root / SITE), "--limit", "localhost,kiosks", cwd=elsewhere
    )

    assert done.returncode != 0
    assert "UNREACHABLE" in done.stdout


def test_a_host_key_that_is_not_known_is_refused(run, root: Path, lab: Path, elsewhere: Path) -> None:
    config = elsewhere / "ssh_config"
    (elsewhere / "none").touch()
    config.write_text(
        (lab / "ssh" / "config")
        .read_text()
        .replace(str(lab / "ssh/known_hosts"), str(elsewhere / "none"))
        .replace("ControlMaster auto", "ControlMaster no")
        .replace("ssh-%C", "ssh-unknown-%C")
    )

    done = run(
        "ansible", "-i", str(root / SITE), "servers", "-m", "ping", cwd=elsewhere, ANSIBLE_SSH_ARGS=f"-F {config}"
    )

    assert done.returncode != 0
    assert "Host key verification failed" in done.stdout + done.stderr
