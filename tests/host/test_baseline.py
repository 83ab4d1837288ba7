"""What the baseline makes a machine do: tried out on it, not read in the files we wrote."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from testinfra.host import Host

pytestmark = pytest.mark.lab

ACCOUNT, PASSWORD = "percobaan", "Kata-Sandi-Uji-77"
PROGRAM = "/sbin/e2scrub"  # belongs to a package, and nothing here runs it


@pytest.mark.parametrize("place", ["/tmp", "/var/tmp", "/dev/shm"])
def test_nothing_runs_from_a_place_where_everybody_may_write(host: Host, place: str) -> None:
    done = host.run(f"cp /bin/true {place}/program && {place}/program; said=$?; rm -f {place}/program; exit $said")

    assert done.rc == 126
    assert "Permission denied" in done.stderr


def test_an_abandoned_shell_closes_and_its_user_cannot_prevent_it(host: Host) -> None:
    assert host.check_output("bash -lc 'echo $TMOUT'") == "900"
    assert "readonly" in host.run("bash -lc 'TMOUT=0; echo still open'").stderr


def test_a_login_shell_keeps_its_files_to_itself(host: Host) -> None:
    assert host.check_output("bash -lc umask") == "0027"


def test_neither_a_session_nor_a_service_may_write_its_memory_to_disk(host: Host) -> None:
    assert host.check_output("bash -c 'ulimit -Hc'") == "0"
    assert host.check_output("systemd-run -q --wait --pipe bash -c 'ulimit -Hc'") == "0"


def test_the_keyboard_cannot_restart_the_machine(host: Host) -> None:
    assert "masked" in host.run("systemctl start ctrl-alt-del.target").stderr


@pytest.fixture
def account(host: Host) -> Iterator[str]:
    # The memory of old passwords outlives an account: left there, it would refuse the next run's.
    forget = (
        f"faillock --user {ACCOUNT} --reset; userdel --remove {ACCOUNT}; sed -i /^{ACCOUNT}:/d /etc/security/opasswd"
    )
    host.run(forget)
    host.check_output(f"useradd --create-home {ACCOUNT} && echo '{ACCOUNT}:{PASSWORD}' | chpasswd")
    yield ACCOUNT
    host.run(forget)


def let_in(host: Host, account: str, password: str) -> bool:
    """Try a password as somebody without rights: root is asked for none."""
    said = host.run(f"echo '{password}' | setpriv --reuid nobody --clear-groups su {account} -c 'echo in'")
    return said.stdout.strip() == "in"


def test_wrong_passwords_lock_an_account_and_even_the_right_one_is_refused(host: Host, account: str) -> None:
    assert let_in(host, account, PASSWORD)

    assert not any(let_in(host, account, f"wrong-{n}") for n in range(5))

    assert not let_in(host, account, PASSWORD), "five wrong ones lock it"


def test_a_password_does_not_come_back_and_a_new_account_is_private(host: Host, account: str) -> None:
    again = host.run(f"echo '{account}:{PASSWORD}' | chpasswd")

    assert again.rc != 0
    assert "already used" in again.stderr
    assert host.file(f"/home/{account}").mode == 0o700
    assert host.check_output(f"getent shadow {account}").split(":")[1].startswith("$y$"), "yescrypt"
    assert host.check_output(f"getent shadow {account}").split(":")[4] == "365"


def test_old_tls_is_refused_by_whatever_uses_the_systems_library(host: Host) -> None:
    said = host.run(
        "cd $(mktemp -d) && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout k -out c 2>/dev/null;"
        "(openssl s_server -accept 127.0.0.1:4433 -key k -cert c -quiet & echo $! > pid); sleep 1;"
        "for v in tls1_1 tls1_2 tls1_3; do echo | openssl s_client -connect 127.0.0.1:4433 -$v"
        " -cipher 'ALL:@SECLEVEL=0' 2>&1 | grep -cE 'Cipher is (TLS|ECDHE)'; done; kill $(cat pid); rm -r $PWD"
    )

    assert said.stdout.split() == ["0", "1", "1"]


def test_a_changed_program_is_noticed_and_named(host: Host) -> None:
    host.check_output(f"cp -a {PROGRAM} /root/kept && echo '# changed' >> {PROGRAM}")
    try:
        found = host.run("systemctl start balai-verify.service")
        said = host.check_output("journalctl -q -u balai-verify.service -n 20 -o cat")
    finally:
        host.check_output(f"mv /root/kept {PROGRAM} && systemctl reset-failed balai-verify.service")

    assert found.rc != 0
    assert PROGRAM in said
    assert host.run("systemctl start balai-verify.service").rc == 0, "and is silent once it is mended"


def test_a_socket_cannot_be_carried_through_ssh(host: Host) -> None:
    done = subprocess.run(
        [
            "ssh",
            "-F",
            os.environ["BALAI_SSH_CONFIG"],
            "-o",
            "ControlPath=none",
            "-W",
            "127.0.0.1:22",
            host.backend.hostname,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )

    assert "administratively prohibited" in done.stderr
