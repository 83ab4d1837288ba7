"""What is true of a mall's machines, seen from outside or in what runs, not in the files we wrote."""

from __future__ import annotations

import os
import subprocess
import time

import pytest
import testinfra
from testinfra.host import Host

from balai.mall import sockets_of
from balai.sites import INVENTORIES, load_site

pytestmark = pytest.mark.lab

VIEW = load_site(INVENTORIES / "sites/mpp-banyuwangi.yml")
SERVER = "mpp-banyuwangi-server-1"


@pytest.mark.parametrize("user", ["root", "daemon"])
def test_nobody_but_the_named_account_is_let_in(host: Host, user: str) -> None:
    done = subprocess.run(
        [
            "ssh",
            "-F",
            os.environ["BALAI_SSH_CONFIG"],
            "-o",
            "ControlPath=none",
            "-o",
            "BatchMode=yes",
            "-l",
            user,
            host.backend.hostname,
            "true",
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 255
    assert "Permission denied (publickey)" in done.stderr, "and no password is offered"


def test_a_weak_cipher_is_not_spoken(host: Host) -> None:
    done = subprocess.run(
        [
            "ssh",
            "-F",
            os.environ["BALAI_SSH_CONFIG"],
            "-o",
            "ControlPath=none",
            "-c",
            "aes128-cbc",
            host.backend.hostname,
            "true",
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "no matching cipher" in done.stderr


def test_the_network_stack_has_the_settings_of_the_baseline(host: Host) -> None:
    assert host.sysctl("net.ipv4.conf.all.accept_redirects") == 0
    assert host.sysctl("net.ipv4.conf.all.rp_filter") == 2
    assert host.sysctl("net.ipv4.tcp_syncookies") == 1


def test_every_managed_file_is_roots_and_says_that_it_is_managed(host: Host) -> None:
    for path in (
        "/etc/ssh/sshd_config.d/10-balai.conf",
        "/etc/chrony/chrony.conf",
        "/etc/sysctl.d/60-balai-network.conf",
    ):
        file = host.file(path)
        assert (file.user, file.group, file.mode) == ("root", "root", 0o644)
        assert "Ansible managed" in file.content_string


def test_the_journal_outlives_a_reboot(host: Host) -> None:
    assert host.file("/var/log/journal").is_directory
    assert host.check_output("journalctl --header | grep -c /var/log/journal") != "0"


def test_the_system_is_running_and_nothing_has_failed(host: Host) -> None:
    assert host.run("systemctl is-system-running").stdout.strip() == "running"


def test_the_server_has_chosen_the_router_as_its_clock() -> None:
    server = testinfra.get_host(f"ssh://{SERVER}", ssh_config=os.environ["BALAI_SSH_CONFIG"], sudo=True)
    deadline = time.monotonic() + 30

    while "*,10.64.0.1," not in (said := server.check_output("chronyc -c sources")):
        assert time.monotonic() < deadline, said
        time.sleep(1)


def test_only_declared_ports_answer_from_the_network(host: Host) -> None:
    listening = {
        socket.split("://")[1].rsplit(":", 1)[1]
        for socket in host.socket.get_listening_sockets()
        if "127.0.0.1" not in socket and "::1" not in socket and "unix" not in socket
    }

    (machine,) = [machine for machine in VIEW.machines if machine.name == host.backend.hostname]
    assert listening <= {socket.partition("/")[2] for socket in sockets_of(machine, VIEW)}
