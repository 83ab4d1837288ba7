"""What is read out of a machine's texts, and that what is sent there is one whole program."""

from __future__ import annotations

import ast
import base64
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from balai.audit import gather, host_facts
from balai.audit import host_parsing as parsing

SUDOERS = r"""
# a comment
Defaults env_reset, secure_path="/usr/sbin:/usr/bin", !authenticate
Defaults:operator timestamp_timeout=-1
User_Alias ADMINS = ani, budi
root ALL=(ALL:ALL) ALL
%sudo ALL=(ALL:ALL) \
    ALL
ADMINS ALL=(ALL) NOPASSWD: /usr/bin/apt
@includedir /etc/sudoers.d
"""


def test_rules_of_sudo_are_found_across_continued_lines_and_behind_aliases() -> None:
    found = parsing.sudo_rules(SUDOERS)

    assert found["principals"] == ["%sudo", "ADMINS", "root"]
    assert found["nopasswd"] == ["ADMINS"]
    assert {"!authenticate", "env_reset", 'secure_path="/usr/sbin:/usr/bin"', "timestamp_timeout=-1"} <= {
        d.strip() for d in found["defaults"]
    }


def test_included_files_are_read_as_sudo_reads_them(tmp_path: Path) -> None:
    """A rule in a file that sudo passes over is no rule, and one that it reads is not to be missed."""
    folder = tmp_path / "sudoers.d"
    folder.mkdir()
    for name in ("10-one", "old.bak", "kept~"):
        (folder / name).write_text(f"{name} ALL=(ALL) NOPASSWD: ALL\n")
    (tmp_path / "sudoers").write_text(f"root ALL=(ALL) ALL\n#includedir {folder}\n")

    found = parsing.sudo_rules("\n".join(host_facts.sudo_texts(str(tmp_path / "sudoers"))))

    assert found["principals"] == ["10-one", "root"]


def rows(text: str) -> list[list[str]]:
    return [line.split(":") for line in text.split()]


def test_accounts_that_are_wrong_are_named() -> None:
    passwd = rows("root:x:0:0::/root:/bin/bash www:x:33:33::/:/bin/sh a:x:1000:1000::/home/a:/bin/sh b:x:1000:9::/:/x")
    shadow = rows(
        "root:!:1:0:99999:7::: a:$y$j9T$s$h:1:0:99999:7::: b:$1$s$h:1:1:90:7::: c::1:0:99999:7::: www:*:1:0:9:7:::"
    )

    found = parsing.accounts(passwd, shadow, rows("adm:x:4: ops:x:4:"))

    assert found == {
        "empty_password": ["c"],
        "with_password": ["a", "b"],
        "weak_hash": ["b"],
        "never_expires": ["a"],
        "uid_zero": ["root"],
        "twice": ["uid 1000", "gid 4"],
        "system_shells": ["www"],
    }


AUTH = """auth requisite pam_faillock.so preauth silent deny=5 unlock_time=900
auth [success=2 default=ignore] pam_unix.so nullok
auth [default=die] pam_faillock.so authfail deny=5 unlock_time=900
"""
PASSWORD = """# password requisite pam_pwhistory.so remember=9
password requisite pam_pwhistory.so remember=5 enforce_for_root
password [success=1 default=ignore] pam_unix.so obscure use_authtok yescrypt minlen=12
"""


def test_what_is_asked_of_a_password_comes_from_login_defs_and_pam() -> None:
    login = parsing.pairs("PASS_MAX_DAYS\t365\nPASS_MIN_DAYS 1\n#PASS_WARN_AGE 9\nENCRYPT_METHOD YESCRYPT\n")

    found = parsing.passwords(login, AUTH, PASSWORD)

    assert found == {
        "method": "YESCRYPT",
        "max_days": 365,
        "min_days": 1,
        "warn_days": 0,
        "length": 12,
        "remembered": 5,
        "attempts": 5,
        "locked_seconds": 900,
    }


def test_attempts_are_not_counted_where_failures_are_not_remembered() -> None:
    """Only `preauth` looks; without `authfail` there is nothing to see, and nobody is ever locked."""
    assert parsing.passwords({}, AUTH.replace("authfail", ""), "")["attempts"] == 0
    assert parsing.passwords({}, "", "password required pam_unix.so")["length"] == 6


def ssh_rsa(bits: int) -> str:
    parts = [b"ssh-rsa", b"\x01\x00\x01", (1 << (bits - 1)).to_bytes(bits // 8 + 1, "big")]
    blob = b"".join(len(p).to_bytes(4, "big") + p for p in parts)
    return f"ssh-rsa {base64.b64encode(blob).decode()} a@b"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (ssh_rsa(2048), "ssh-rsa-2048"),
        (f'from="10.0.0.1",no-pty {ssh_rsa(4096)}', "ssh-rsa-4096"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA technician", "ssh-ed25519"),
        ("sk-ssh-ed25519@openssh.com AAAAGnNr key", "sk-ssh-ed25519@openssh.com"),
        ("nothing to see", None),
    ],
)
def test_the_kind_of_a_login_key_is_told(line: str, kind: str | None) -> None:
    assert parsing.key_kind(line) == kind


def test_a_module_is_blocked_only_when_a_program_that_does_nothing_stands_in_for_it() -> None:
    text = "install usb-storage /bin/false\nblacklist udf\n#install hfs /bin/true\ninstall sctp /usr/bin/true\n"

    assert parsing.blocked(text) == ["sctp", "usb_storage"]


def test_only_the_places_that_everybody_writes_to_are_looked_at() -> None:
    text = "tmpfs /tmp tmpfs rw,nosuid,nodev 0 0\nproc /proc proc rw 0 0\n/dev/sda1 /var/tmp ext4 rw,noexec 0 0\n"

    assert parsing.mounts(text) == {"/tmp": ["rw", "nosuid", "nodev"], "/var/tmp": ["rw", "noexec"]}


def test_a_changed_program_is_told_from_a_changed_setting_and_from_what_was_never_unpacked() -> None:
    text = """missing     /usr/share/doc/apt/copyright
??5??????   /usr/bin/sudo
??5?????? c /etc/login.defs
missing   c /etc/default/nss (Permission denied)
"""

    assert parsing.verified(text) == (["/usr/bin/sudo"], ["/etc/login.defs", "/etc/default/nss"])


def test_the_journal_counts_only_whole_records() -> None:
    text = """Accepted publickey for balai from 10.64.0.254 port 4022 ssh2: ED25519 SHA256:abc
Accepted password for balai from 10.64.0.254 port 4022 ssh2
Connection closed by 10.64.0.9
   balai : PWD=/home/balai ; USER=root ; COMMAND=/usr/bin/python3 -
pam_unix(sudo:session): session opened for user root(uid=0) by (uid=1000)
"""

    assert parsing.recorded(text) == {"logins": 1, "sudo": 1}


def test_rules_of_the_audit_are_counted_and_their_lock_is_seen() -> None:
    text = "# -w /x -p wa -k no\n-w /etc/passwd -p wa -k accounts\n-a always,exit -S mount -k mounts\n-e 2\n-b 8192\n"

    assert parsing.audit_rules(text) == {"rules": 2, "keys": ["accounts", "mounts"], "locked": True}
    assert not parsing.audit_rules("# -e 2\n-e 1\n")["locked"]


def test_weak_suites_are_those_with_an_old_hash_cipher_or_key_exchange() -> None:
    text = """TLS_AES_256_GCM_SHA384         TLSv1.3 Kx=any  Au=any   Enc=AESGCM(256) Mac=AEAD
ECDHE-RSA-AES256-SHA384        TLSv1.2 Kx=ECDH Au=RSA   Enc=AES(256)    Mac=SHA384
ECDHE-RSA-AES256-SHA           TLSv1   Kx=ECDH Au=RSA   Enc=AES(256)    Mac=SHA1
ECDHE-RSA-DES-CBC3-SHA         TLSv1   Kx=ECDH Au=RSA   Enc=3DES(168)   Mac=SHA384
AES256-GCM-SHA384              TLSv1.2 Kx=RSA  Au=RSA   Enc=AESGCM(256) Mac=AEAD
"""

    assert parsing.weak_suites(text) == ["ECDHE-RSA-AES256-SHA", "ECDHE-RSA-DES-CBC3-SHA", "AES256-GCM-SHA384"]


def test_a_clock_without_a_source_has_none_and_one_without_tracking_no_offset() -> None:
    tracking = "0A400001,10.64.0.1,11,1.0,-0.25,0,0,0,0,0,0,0,Normal"

    assert parsing.clock("^,*,10.64.0.1,10,6\n^,?,10.64.0.2,0,6\n", tracking) == {
        "sources": 2,
        "selected": 1,
        "stratum": 11,
        "offset": 0.25,
    }
    assert parsing.clock("", "") == {"sources": 0, "selected": 0, "stratum": -1}
    assert parsing.clock(None, None) is None


def test_a_certificate_has_the_seconds_that_openssl_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "logs" / "upload.crt"
    path.parent.mkdir()
    subject = ("-subj", "/CN=mall", "-nodes", "-newkey", "ed25519", "-keyout", str(tmp_path / "key"))
    subprocess.run(["openssl", "req", "-x509", "-days", "30", *subject, "-out", str(path)], check=True)
    (path.parent / "torn.crt").write_text("-----BEGIN")
    monkeypatch.setattr(host_facts, "CERTIFICATES", (f"{str(tmp_path).lstrip('/')}/**/*.crt",))

    assert host_facts.certificates() == {str(path): pytest.approx(30 * 86400, abs=60)}
    assert parsing.left({"a": "notAfter=Nov 26 03:00:00 2026 GMT\n"}, 1795662000.0 + 60) == {"a": -60}


def test_addresses_are_those_of_real_interfaces() -> None:
    text = '[{"ifname": "lo"}, {"ifname": "mgmt", "address": "02:00", "addr_info": [{"local": "10.64.0.1"}]}]'

    assert parsing.addresses(text) == [{"name": "mgmt", "mac": "02:00", "addresses": ["10.64.0.1"]}]
    assert parsing.addresses(None) is None


def test_files_that_everybody_may_write_or_that_run_as_root_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, mode in (("fine", 0o644), ("open", 0o666), ("raises", 0o4755), ("journal/x", 0o644)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    (tmp_path / "link").symlink_to("fine")
    monkeypatch.setattr(host_facts, "WALKED", [str(tmp_path), str(tmp_path / "absent")])
    monkeypatch.setattr(host_facts, "PRIVATE_LOGS", (str(tmp_path / "journal"),))

    found = host_facts.files()

    assert found["writable_by_all"] == [str(tmp_path / "open")]
    assert found["setuid"] == [str(tmp_path / "raises")]
    assert found["open_logs"] == [str(tmp_path / "journal/x")]


def test_half_a_walk_is_no_evidence(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        list(host_facts.walk([str(tmp_path)], time.monotonic() - 1))


def test_a_fact_that_cannot_be_had_is_left_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def broken() -> None:
        raise OSError("gone")

    monkeypatch.setattr(host_facts, "gatherers", lambda: {"a": broken, "b": lambda: None, "c": lambda: 1})

    assert host_facts.facts() == {"c": 1}
    assert "a: gone" in capsys.readouterr().err


def test_what_is_sent_needs_the_standard_library_alone_and_opens_no_file_to_write() -> None:
    texts = [path.read_text() for path in gather.SCRIPTS]
    imported = {
        name.split(".")[0]
        for text in texts
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }

    assert imported - {"balai"} <= sys.stdlib_module_names
    assert not re.search(r"\bopen\(|write_text|unlink|mkdir|chmod|rename", "".join(texts))


def test_the_two_modules_are_one_program_when_sent() -> None:
    """It must not lean on a balai that is installed here and not there."""
    program = gather.host_program().decode()
    scope = {"__name__": "sent"}  # not "__main__": nothing is gathered
    before = {name: module for name, module in sys.modules.items() if name.startswith("balai")}
    try:
        exec(program, scope)
    finally:
        sys.modules.update(before)

    assert scope["sudo_rules"] is not parsing.sudo_rules
    assert os.fspath(scope["lines"].__code__.co_filename) == "host_parsing.py"


def test_a_screen_s_browser_is_told_by_its_running_programs() -> None:
    processes = """\
root      /usr/bin/python3 -I /usr/local/lib/balai/screen.py
kiosk     /usr/lib/chromium/chromium --kiosk --user-data-dir=/run/kiosk/profile http://127.0.0.1:8080/
kiosk     /usr/lib/chromium/chromium --type=renderer --user-data-dir=/elsewhere
petugas   /usr/lib/chromium/chromium --no-sandbox --remote-debugging-port=1 --user-data-dir=/home/petugas/x about:blank
kiosk     swayidle -w timeout 1 true resume session touched timeout 60 /usr/local/lib/balai/kiosk-session idle
"""
    found = parsing.screen('{"URLBlocklist": ["*"]}', ["zz.json", "balai.json"], processes)

    assert found == {
        "policies": {"URLBlocklist": ["*"]},
        "files": ["balai.json", "zz.json"],
        "users": ["kiosk", "petugas"],
        "open": ["--no-sandbox", "--remote-debugging-port"],
        "profiles": ["/home/petugas/x", "/run/kiosk/profile"],
        "idle_seconds": 60,
    }
    assert parsing.screen(None, [], processes) is None


def test_what_guards_usb_sockets_is_its_settings_its_rules_in_order_and_whether_it_runs() -> None:
    settings = "# Ansible managed\nImplicitPolicyTarget=block\nAuthorizedDefault=none\n"
    rules = "# first\nallow with-interface match-all { 09:*:* }\n\nblock with-interface one-of { 03:01:01 }\n"

    assert parsing.usb_guard(settings, rules, {"ActiveState": "active"}) == {
        "settings": {"ImplicitPolicyTarget": "block", "AuthorizedDefault": "none"},
        "rules": ["allow with-interface match-all { 09:*:* }", "block with-interface one-of { 03:01:01 }"],
        "running": True,
    }
    assert parsing.usb_guard(None, None, {}) == {"settings": {}, "rules": [], "running": False}
