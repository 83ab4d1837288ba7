"""Each check of a machine, seen to pass on a good one and to fail on every machine that is wrong in one way."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from balai.audit import Status
from balai.audit.judge import fact_checks, judge_facts

CHECKS = {check.id: check for check in fact_checks() if check.target == "host"}
DAY = 86400
UPLOAD, DATA_CENTRE = (f"/usr/local/share/balai/{name}" for name in ("logs/upload.crt", "screen/authorities/batam.crt"))
EXPECTED = {
    "certificates": {UPLOAD: 28},
    "listeners": ["tcp/22", "udp/123"],
    "site": "mpp-x",
    "name": "mpp-x-server-1",
    "timezone": "Asia/Jakarta",
    "address": "10.64.0.10",
    "screen": {
        "policies": {"URLBlocklist": ["*"], "URLAllowlist": ["https://a"], "VideoCaptureAllowed": False},
        "idle_seconds": 60,
        "usb": ["allow with-interface match-all { 09:*:* }"],
    },
}
CLOSED = ["rw", "nosuid", "nodev", "noexec"]
GOOD: dict[str, Any] = {
    "screen": {
        "policies": {
            "URLBlocklist": ["*"],
            "URLAllowlist": ["https://a"],
            "VideoCaptureAllowed": False,
            "CACertificatesWithConstraints": [
                {"certificate": "x", "constraints": {"permitted_dns_names": ["balai.internal"], "permitted_cidrs": []}}
            ],
        },
        "files": ["balai.json"],
        "users": ["kiosk"],
        "open": [],
        "profiles": ["/run/kiosk/profile"],
        "idle_seconds": 60,
    },
    "usb": {
        "running": True,
        "rules": ["allow with-interface match-all { 09:*:* }"],
        "settings": {
            "ImplicitPolicyTarget": "block",
            "PresentDevicePolicy": "apply-policy",
            "InsertedDevicePolicy": "apply-policy",
            "AuthorizedDefault": "none",
        },
    },
    "hostname": "mpp-x-server-1",
    "site": "mpp-x",
    "time": 1795500000.0,
    "container": "none",
    "release": "bookworm",
    "timezone": "Asia/Jakarta",
    "failed_units": [],
    "listeners": ["tcp/22", "udp/123"],
    "addresses": [{"name": "mgmt", "mac": "02:00:00:00:00:01", "addresses": ["10.64.0.10"]}],
    "sshd": {
        **dict.fromkeys(
            [
                "passwordauthentication",
                "kbdinteractiveauthentication",
                "permitemptypasswords",
                "permitrootlogin",
                "x11forwarding",
                "allowtcpforwarding",
                "allowagentforwarding",
                "allowstreamlocalforwarding",
                "permittunnel",
                "gatewayports",
                "hostbasedauthentication",
                "permituserenvironment",
            ],
            "no",
        ),
        "ignorerhosts": "yes",
        "strictmodes": "yes",
        "allowusers": "balai",
        "maxauthtries": "4",
        "logingracetime": "30",
        "clientaliveinterval": "300",
        "clientalivecountmax": "3",
        "loglevel": "VERBOSE",
        "ciphers": "aes256-gcm@openssh.com,chacha20-poly1305@openssh.com",
        "kexalgorithms": "curve25519-sha256",
        "macs": "hmac-sha2-512-etm@openssh.com",
    },
    "accounts": {
        "empty_password": [],
        "with_password": [],
        "weak_hash": [],
        "never_expires": [],
        "uid_zero": ["root"],
        "twice": [],
        "system_shells": [],
    },
    "homes": {"/root": {"mode": "0700", "owned": True}, "/home/balai": {"mode": "0750", "owned": True}},
    "keys": {"login": ["ssh-ed25519", "ssh-rsa-4096"], "private": 3, "open": []},
    "sudo": {
        "principals": ["%sudo", "balai", "root"],
        "nopasswd": ["balai"],
        "defaults": ["env_reset", "use_pty", "timestamp_timeout=5"],
    },
    "passwords": {
        "method": "YESCRYPT",
        "max_days": 365,
        "min_days": 1,
        "warn_days": 14,
        "length": 12,
        "remembered": 5,
        "attempts": 5,
        "locked_seconds": 900,
    },
    "session": {"timeout": 900, "umask": "0027", "core_limit": 0, "units_core_limit": 0},
    "recorded": {"logins": 3, "sudo": 9},
    "root_path": {"path": "/usr/sbin:/usr/bin", "wrong": []},
    "modules": {
        "blocked": [
            "cramfs",
            "dccp",
            "firewire_core",
            "freevxfs",
            "hfs",
            "hfsplus",
            "jffs2",
            "rds",
            "sctp",
            "tipc",
            "uas",
            "udf",
            "usb_storage",
        ],
        "loaded": ["ext4"],
    },
    "mounts": {"/tmp": CLOSED, "/var/tmp": CLOSED, "/dev/shm": CLOSED},
    "files": {"looked_at": 9000, "writable_by_all": [], "setuid": ["/usr/bin/sudo"], "open_logs": []},
    "integrity": {
        "altered": [],
        "settings_changed": ["/etc/login.defs"],
        "settings_unmanaged": [],
        "timer": "active",
        "result": "success",
    },
    "packages": {"installed": 188, "held": [], "legacy": [], "lists_age_days": 1, "pending_security": []},
    "schedulers": {"cron": ["root"], "at": ["root"]},
    "units": {
        "ctrl-alt-del.target": {"LoadState": "masked", "ActiveState": "inactive", "UnitFileState": "masked"},
        "debug-shell.service": {"LoadState": "loaded", "ActiveState": "inactive", "UnitFileState": "disabled"},
    },
    "sysctl": {
        key: {"wanted": value, "live": value}
        for key, value in {
            "net.ipv4.conf.all.accept_redirects": "0",
            "net.ipv4.conf.all.send_redirects": "0",
            "net.ipv4.conf.all.accept_source_route": "0",
            "net.ipv4.conf.all.rp_filter": "2",
            "net.ipv4.tcp_syncookies": "1",
            "kernel.kptr_restrict": "2",
            "kernel.dmesg_restrict": "1",
            "kernel.randomize_va_space": "2",
            "kernel.kexec_load_disabled": "1",
            "kernel.sysrq": "0",
            "kernel.unprivileged_bpf_disabled": "1",
            "kernel.yama.ptrace_scope": "1",
            "fs.protected_symlinks": "1",
            "fs.protected_fifos": "2",
            "fs.protected_regular": "2",
        }.items()
    },
    "modes": {"/etc/shadow": {"mode": "640", "uid": 0}, "/etc/sudoers": {"mode": "440", "uid": 0}},
    "clock": {"sources": 1, "selected": 1, "stratum": 11, "offset": 0.000003},
    "journal": {"persistent": True, "days": 365, "sent": 20},
    "audit": {
        "rules": 19,
        "keys": ["accounts", "audit", "balai", "clock", "logins", "modules", "mounts", "sshd", "sudo"],
        "locked": True,
        "loaded": 19,
        "ActiveState": "active",
    },
    "updates": {"unattended": True, "timer": "active"},
    "unverified_repositories": [],
    "random_ready": True,
    "room": {"/": {"free": 63, "inodes": 90}},
    "certificates": {UPLOAD: 90 * DAY, DATA_CENTRE: DAY, "/var/lib/caddy/old.crt": -1},
    "tls": {"least": "TLSv1.2", "weak": []},
    "trust": {"chosen": 148, "local": ["balai-root.crt"], "trusted": 149},
    "swap": [{"device": "dm-1", "in_memory": False, "encrypted": True}],
    "apparmor": {"enabled": True, "enforced": 12},
}
# For each check, the ways to be wrong: where in the facts, and what stands there instead.
WRONG: dict[str, list[tuple[str, Any]]] = {
    "host_ssh_keys_only": [("sshd > passwordauthentication", "yes")],
    "host_ssh_no_root": [("sshd > permitrootlogin", "prohibit-password"), ("sshd > allowusers", "")],
    "host_ssh_attempts": [("sshd > maxauthtries", "6"), ("sshd > logingracetime", "120")],
    "host_ssh_ciphers": [("sshd > ciphers", "aes128-cbc"), ("sshd > macs", "hmac-sha1")],
    "host_encrypted_channel": [("listeners", ["tcp/23"])],
    "host_listeners_declared": [("listeners", ["tcp/22", "tcp/631"])],
    "host_no_empty_passwords": [("accounts > empty_password", ["a"]), ("accounts > uid_zero", ["root", "toor"])],
    "host_files_protected": [("modes > /etc/shadow > mode", "644"), ("modes > /etc/sudoers > uid", 1000)],
    "host_network_settings": [("sysctl > net.ipv4.tcp_syncookies > live", "0")],
    "host_kernel_settings": [("sysctl > kernel.kptr_restrict > live", "0")],
    "host_time_synchronised": [("clock > selected", 0)],
    "host_time_zone": [("timezone", "Asia/Makassar")],
    "host_journal_kept": [("journal > persistent", False), ("journal > days", 30)],
    "host_journal_sent": [("journal > sent", -1), ("journal > sent", 7200)],
    "host_audit_rules": [("audit > rules", 3)],
    "host_audit_running": [("audit > ActiveState", "failed")],
    "host_updates_automatic": [("updates > unattended", False), ("updates > timer", "inactive")],
    "host_repositories_verified": [("unverified_repositories", ["/etc/apt/sources.list.d/x.list"])],
    "host_no_failed_units": [("failed_units", ["chrony.service"])],
    "host_site_marker": [("site", "mpp-y"), ("hostname", "vm")],
    "host_addresses_planned": [("addresses", [{"name": "mgmt", "mac": "", "addresses": ["192.168.1.9"]}])],
    "host_ssh_no_forwarding": [("sshd > allowtcpforwarding", "yes"), ("sshd > permittunnel", "ethernet")],
    "host_ssh_no_borrowed_identity": [("sshd > hostbasedauthentication", "yes"), ("sshd > strictmodes", "no")],
    "host_ssh_silent_sessions_end": [("sshd > clientaliveinterval", "0"), ("sshd > clientalivecountmax", "9")],
    "host_shell_timeout": [("session > timeout", 0), ("session > timeout", 3600)],
    "host_logins_recorded": [("recorded > logins", 0), ("sshd > loglevel", "QUIET")],
    "host_login_keys_strong": [("keys > login", ["ssh-dss"]), ("keys > login", ["ssh-rsa-2048"])],
    "host_private_keys_protected": [("keys > open", ["/etc/ssh/ssh_host_ed25519_key"]), ("keys > private", 0)],
    "host_sudo_rules": [
        ("sudo > nopasswd", ["balai", "%sudo"]),
        ("sudo > principals", ["root", "petugas"]),
        ("sudo > defaults", ["use_pty", "!authenticate"]),
    ],
    "host_sudo_session": [
        ("sudo > defaults", ["env_reset", "timestamp_timeout=5"]),
        ("sudo > defaults", ["use_pty"]),
        ("sudo > defaults", ["use_pty", "timestamp_timeout=5", "timestamp_timeout=-1"]),
        ("sudo > defaults", ["use_pty", "timestamp_timeout=60"]),
    ],
    "host_sudo_recorded": [("recorded > sudo", 0)],
    "host_password_policy": [
        ("passwords > length", 6),
        ("passwords > max_days", 99999),
        ("passwords > min_days", 0),
        ("passwords > remembered", 0),
        ("accounts > never_expires", ["petugas"]),
    ],
    "host_password_attempts": [
        ("passwords > attempts", 0),
        ("passwords > attempts", 20),
        ("passwords > locked_seconds", 5),
    ],
    "host_password_hashing": [("passwords > method", "MD5"), ("accounts > weak_hash", ["petugas"])],
    "host_accounts_unique": [("accounts > twice", ["uid 1000"])],
    "host_system_accounts_closed": [("accounts > system_shells", ["www-data"])],
    "host_homes_private": [
        ("homes > /home/balai > mode", "0755"),
        ("homes > /home/balai > owned", False),
        ("session > umask", "0022"),
    ],
    "host_root_path": [("root_path > wrong", ["."])],
    "host_schedulers_restricted": [("schedulers > cron", []), ("schedulers > at", ["root", "petugas"])],
    "host_console_closed": [
        ("units > ctrl-alt-del.target > LoadState", "loaded"),
        ("units > debug-shell.service > ActiveState", "active"),
    ],
    "host_protocols_blocked": [("modules > blocked", ["dccp", "rds", "tipc"]), ("modules > loaded", ["sctp"])],
    "host_filesystems_blocked": [("modules > blocked", []), ("modules > loaded", ["udf"])],
    "host_usb_storage_blocked": [("modules > blocked", ["uas"]), ("modules > loaded", ["usb_storage"])],
    "host_kernel_closed": [
        ("sysctl > kernel.sysrq > live", "176"),
        ("sysctl > kernel.kexec_load_disabled > live", "0"),
    ],
    "host_apparmor": [("apparmor > enabled", False), ("apparmor > enforced", 0)],
    "host_random_ready": [("random_ready", False)],
    "host_temporary_places": [("mounts > /tmp", ["rw", "nosuid", "nodev"]), ("mounts", {"/tmp": CLOSED})],
    "host_no_core_dumps": [("session > core_limit", -1), ("session > units_core_limit", -1)],
    "host_swap_protected": [("swap", [{"device": "sda2", "in_memory": False, "encrypted": False}])],
    "host_nothing_writable_by_all": [("files > writable_by_all", ["/etc/x"]), ("files > looked_at", 0)],
    "host_setuid_known": [("files > setuid", ["/usr/bin/find"]), ("files > setuid", ["/usr/local/bin/sudo"])],
    "host_programs_unaltered": [("integrity > altered", ["/usr/sbin/sshd"])],
    "host_integrity_watched": [("integrity > timer", "inactive"), ("integrity > result", "exit-code")],
    "host_settings_managed": [("integrity > settings_unmanaged", ["/etc/ssh/sshd_config"])],
    "host_release_supported": [("release", "bullseye"), ("time", 1900000000.0)],
    "host_updates_installed": [
        ("packages > pending_security", ["openssl"]),
        ("packages > lists_age_days", 30),
        ("packages", {"installed": 188, "held": [], "legacy": []}),
    ],
    "host_nothing_held_back": [("packages > held", ["openssh-server"])],
    "host_no_legacy_clients": [("packages > legacy", ["telnet"])],
    "host_tls_current": [("tls > least", ""), ("tls > weak", ["AES256-SHA"])],
    "host_trust_store": [("trust > trusted", 150), ("trust > local", ["proxy.crt"])],
    "host_logs_protected": [
        ("files > open_logs", ["/var/log/btmp"]),
        ("files > writable_by_all", ["/var/log/apt/history.log"]),
    ],
    "host_audit_scope": [("audit > keys", ["accounts", "sudo"])],
    "host_audit_locked": [("audit > locked", False)],
    "host_audit_loaded": [("audit > loaded", 8)],
    "host_certificates_current": [
        (f"certificates > {UPLOAD}", 27 * DAY),
        (f"certificates > {DATA_CENTRE}", -1),
        ("certificates", {DATA_CENTRE: DAY}),
    ],
    "host_room_left": [("room > / > free", 4), ("room > / > inodes", 9), ("room", {})],
    "screen_address_list": [
        ("screen > policies > URLBlocklist", []),
        ("screen > policies > URLAllowlist", ["https://a", "https://b"]),
        ("screen > policies", {}),
    ],
    "screen_policies": [
        ("screen > files", ["balai.json", "zz.json"]),
        ("screen > policies > VideoCaptureAllowed", True),
        ("screen > policies", {}),
    ],
    "screen_authorities": [
        ("screen > policies > CACertificates", ["x"]),
        (
            "screen > policies > CACertificatesWithConstraints",
            [{"certificate": "x", "constraints": {"permitted_dns_names": [], "permitted_cidrs": []}}],
        ),
        (
            "screen > policies > CACertificatesWithConstraints",
            [{"certificate": "x", "constraints": {"permitted_dns_names": ["id"], "permitted_cidrs": []}}],
        ),
    ],
    "screen_sandbox": [
        ("screen > users", ["root"]),
        ("screen > users", []),
        ("screen > open", ["--no-sandbox"]),
        ("screen > open", ["--remote-debugging-port"]),
    ],
    "screen_forgets": [("screen > profiles", ["/home/kiosk/profile"]), ("screen > profiles", [])],
    "screen_session_ends": [("screen > idle_seconds", 0), ("screen > idle_seconds", 3600)],
    "screen_usb_declared": [
        ("usb > running", False),
        ("usb > rules", []),
        ("usb > rules", ["allow with-interface match-all { 09:*:* }", "allow id 1234:5678"]),
        ("usb > settings > ImplicitPolicyTarget", "allow"),
        ("usb > settings > PresentDevicePolicy", "keep"),
        ("usb > settings > InsertedDevicePolicy", "allow"),
        ("usb > settings > AuthorizedDefault", "all"),
        ("usb > settings", {}),
    ],
    "host_clock_right": [("clock > offset", 4.0), ("clock", {"sources": 0, "selected": 0, "stratum": -1})],
}
IN_A_CONTAINER = {
    "host_kernel_settings",
    "host_kernel_closed",
    "host_audit_running",
    "host_audit_loaded",
    "host_apparmor",
    "host_swap_protected",
    "screen_usb_declared",
}


def judged(check: str, facts: dict[str, Any]) -> tuple[Status, str]:
    result = judge_facts(CHECKS[check], "a machine", facts, EXPECTED, 0.0)
    return result.status, result.detail["en"]


def wrong(where: str, value: Any) -> dict[str, Any]:
    """Return the good machine, but for one thing."""
    facts = copy.deepcopy(GOOD)
    holder, *steps = facts, *where.split(" > ")
    for step in steps[:-1]:
        holder = holder[step]
    holder[steps[-1]] = value
    return facts


def test_every_check_of_a_machine_has_its_bad_machines() -> None:
    assert set(WRONG) == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_a_good_machine_passes(check: str) -> None:
    assert judged(check, GOOD) == (Status.PASS, "as required")


@pytest.mark.parametrize(("check", "where", "value"), [(c, *case) for c, cases in WRONG.items() for case in cases])
def test_a_machine_that_is_wrong_in_one_way_fails(check: str, where: str, value: Any) -> None:
    assert judged(check, wrong(where, value)) == (Status.FAIL, "not as required")


@pytest.mark.parametrize("check", CHECKS)
def test_a_container_is_asked_for_all_but_its_hosts_kernel_and_the_report_says_why(check: str) -> None:
    status, words = judged(check, {**GOOD, "container": "systemd-nspawn"})

    assert status is (Status.DNF if check in IN_A_CONTAINER else Status.PASS)
    assert ("container" in words) == (check in IN_A_CONTAINER)


def test_a_container_without_a_package_source_cannot_know_what_is_waiting() -> None:
    facts = {**GOOD, "container": "systemd-nspawn", "packages": {"installed": 188, "held": [], "legacy": []}}

    assert judged("host_updates_installed", facts)[0] is Status.DNF
