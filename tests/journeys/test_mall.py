"""The technician at the mall: plain ansible-playbook, from anywhere, twice."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.mall]

LIMIT = "localhost,routers,servers,mpp-banyuwangi-kiosk-1,mpp-banyuwangi-display-1"
SITE = "inventories/sites/mpp-banyuwangi.yml"
NAMES = ("router-1", "server-1", "kiosk-1", "display-1")
HOSTS = [f"mpp-banyuwangi-{name}" for name in NAMES]


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
    # Every file and link of the machine's settings, not only those that we know to be ours.
    hashes = "sudo sh -c 'find /etc /usr/local -type f -exec sha256sum {} + -o -type l -printf \"%p %l\\n\" | sort | sha256sum'"
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


# A file of each role, on the machine that has the role, with what makes it another without breaking what reads it.
TAMPERED = {
    "baseline": "/etc/profile.d/60-balai.sh",
    "network": "/etc/systemd/networkd.conf.d/10-balai.conf",
    "firewall": "/etc/sysctl.d/59-balai-forward.conf",
    "time_sync": "/etc/chrony/chrony.conf",
    "status": "/etc/balai/status.json",
    "updates": "/etc/balai/updates.json",
    "uplinks": "/etc/balai/uplinks.json",
    "overlay": "/etc/wireguard/overlay.conf",
    "resolver": "/etc/unbound/unbound.conf",
    "dhcp": "/etc/kea/kea-dhcp4.conf",
    "offices": "/etc/balai/offices.json",
    "package_cache": "/etc/balai/packages.conf",
    "package_source": "/etc/apt/apt.conf.d/51balai-source",
    "queue": "/etc/balai/queue.json",
    "intake": "/etc/balai/intake.json",
    "verdicts": "/etc/balai/verdicts.json",
    "log_receive": "/etc/systemd/system/balai-logs-bound.timer",
    "tell": "/etc/systemd/system/balai-tell.timer",
    "usb_guard": "/etc/usbguard/rules.conf",
    "kiosk": "/etc/balai/screen.json",
    "log_upload": "/etc/systemd/system/balai-log-upload.service",
}
# The router has the others.
HAS = {
    **dict.fromkeys(("package_cache", "queue", "intake", "verdicts", "log_receive"), HOSTS[1]),
    **dict.fromkeys(("kiosk", "usb_guard"), HOSTS[2]),
}


def changed_roles(said: str, host: str) -> list[str]:
    """Return the roles whose tasks changed something on a host, in their order."""
    roles, task = [], ""
    for line in said.splitlines():
        if line.startswith("TASK ["):
            task = line.removeprefix("TASK [").partition(" : ")[0]
        elif line.startswith(f"changed: [{host}]") or line.startswith(f"changed: [{host} ->"):
            roles.append(task)
    return roles


def test_check_tells_what_the_real_run_then_does_for_every_role(run, root: Path, elsewhere: Path) -> None:
    assert set(TAMPERED) == {role.name for role in (root / "roles").iterdir()}
    for role, path in TAMPERED.items():
        on(HAS.get(role, HOSTS[0]), f"sudo sed -i '$ a # tampered' {path}")
    command = ("ansible-playbook", str(root / "site.yml"), "-i", str(root / SITE), "--limit", LIMIT)

    check, real, again = (
        run(*command, "--check", cwd=elsewhere),
        run(*command, cwd=elsewhere),
        run(*command, cwd=elsewhere),
    )

    assert [done.returncode for done in (check, real, again)] == [0, 0, 0], real.stdout
    expected = {host: [role for role in TAMPERED if HAS.get(role, HOSTS[0]) == host] for host in HOSTS}
    for done in (check, real):
        assert {host: changed_roles(done.stdout, host) for host in HOSTS} == expected
    assert [changed_roles(again.stdout, host) for host in HOSTS] == [[]] * len(HOSTS)
    for role, path in TAMPERED.items():
        assert on(HAS.get(role, HOSTS[0]), f"sudo grep -l tampered {path}") == ""


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
