"""Packages of a mall: who goes out for them, who asks whom, and what the server keeps, through a power cut too."""

from __future__ import annotations

import re
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from balai.addressing import Zone
from balai.errors import DataError
from balai.estate import load_estate
from balai.flows import compile_for, may
from balai.flows.compiled import Kind
from balai.mall.inventory import of_group, of_machine, status_of
from balai.mall.packages import PORT
from balai.mall.updates import updates_of
from balai.mall.verdicts import server_of
from balai.onsite import packages, status, updates
from balai.sites import INVENTORIES, load_site

PATH = INVENTORIES / "sites/mpp-banyuwangi.yml"
ROOT = INVENTORIES.parent
VIEW = load_site(PATH)
SERVER = server_of(VIEW)
OTHERS = [machine for machine in VIEW.machines if machine != SERVER]


def test_the_servers_alone_go_out_for_packages() -> None:
    for port in ("tcp/80", "tcp/443"):
        assert may(VIEW.flows, "servers", "internet", port).flow == "updates"
        assert not may(VIEW.flows, "management", "internet", port).permitted


@pytest.mark.parametrize("end", ["offices", "guests", "kiosks", "displays", "cameras", "internet", "servers"])
def test_nobody_asks_the_cache_from_a_network_in_which_others_stand(end: Any) -> None:
    assert not may(VIEW.flows, end, "servers", f"tcp/{PORT}").permitted


@pytest.mark.parametrize("kind", ["router", "kiosk", "display"])
def test_no_other_machine_lets_anybody_ask_it_for_packages(kind: Kind) -> None:
    assert not [r for r in compile_for(kind, VIEW.flows, VIEW.plan) if r.port == PORT and r.chain == "input"]


def test_every_machine_but_the_server_asks_it_where_the_cache_listens_and_a_flow_lets_it() -> None:
    listens = of_group("servers", VIEW)["package_cache_addresses"]

    assert may(VIEW.flows, "management", "servers", f"tcp/{PORT}").flow == "packages"
    assert {of_machine(m, VIEW)["package_source_address"] for m in OTHERS} == {f"{listens[0]}:{PORT}"}
    assert of_machine(SERVER, VIEW)["package_source_address"] == ""
    assert yaml.safe_load((ROOT / "roles/package_cache/vars/main.yml").read_text())["__package_cache_port"] == PORT


def test_the_cache_listens_on_the_management_network_alone() -> None:
    listens = of_group("servers", VIEW)["package_cache_addresses"]

    v4, v6 = VIEW.plan.zones[Zone.MANAGEMENT], VIEW.plan.zones_v6[Zone.MANAGEMENT]
    assert listens == [str(v4[SERVER.place]), f"[{v6[SERVER.place]}]"]


def test_a_spare_server_asks_the_first(tmp_path: Path) -> None:
    path = tmp_path / PATH.name
    path.write_text(f"{PATH.read_text()}\ndevices: {{server: 2}}\n")
    view = load_site(path)

    (spare,) = (m for m in view.machines if m.name.endswith("server-2"))
    assert of_machine(spare, view)["package_source_address"] == f"{SERVER.address}:{PORT}"
    assert "balai-packages" not in status_of(spare, view)["units"]


def test_a_cache_that_stopped_is_named_on_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "run", lambda *argv, **_: (argv[-1] != "balai-packages", ""))

    (found,) = status.services(status_of(SERVER, VIEW))

    assert found["unit"] == "balai-packages"


def test_what_is_fetched_first_in_a_new_mall_has_a_way() -> None:
    """The router goes out by itself, the server by the router, all others ask the server: so in this order."""
    plays = [
        (p["hosts"], [r["role"] for r in p.get("roles", [])]) for p in yaml.safe_load((ROOT / "site.yml").read_text())
    ]
    runs = [(hosts, role) for hosts, roles in plays for role in roles]
    others = "routers[1:]:servers[1:]:kiosks:displays"
    every = [role for hosts, role in runs if hosts == others]

    assert runs.index(("routers[0]", "resolver")) < runs.index(("servers[0]", "baseline"))
    assert runs.index(("servers[0]", "firewall")) < runs.index(("servers[0]", "package_cache"))
    source = runs.index(("routers:servers[1:]:kiosks:displays", "package_source"))
    assert runs.index(("servers[0]", "package_cache")) < source < runs.index((others, "baseline"))
    for first in ("routers[0]", "servers[0]"):
        assert [role for hosts, role in runs if hosts == first][: len(every)] == every, "each machine gets the same"
    assert all(runs.index(run) > source for run in runs if {"kiosks", "displays"} & set(re.split(r"[:\[]", run[0]))
               and run[1] != "package_source")  # fmt: skip


def kept(body: bytes, *, length: int | None = None, header: str = "Content-Length") -> bytes:
    """Return a file as nginx keeps it: its own notes, the key, the answer's header, the body."""
    said = f"HTTP/1.1 200 OK\r\nDate: x\r\n{header}: {len(body) if length is None else length}\r\n\r\n"
    return b"\x05\0\0\0notes\n\r\n\r\n\nKEY: http://mirror/debian/pool/a.deb\n" + said.encode() + body


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (kept(b"x" * 40000), True),
        (kept(b""), True),
        (kept(b"x" * 40000, header="content-length"), True),
        (kept(b"x" * 40000)[:-1], False),
        (kept(b"Content-Length: 3\r\n\r\nabc", length=2), False),
        (kept(b"x", header="X-Length"), False),
        (kept(b"x")[:60], False),
        (b"\0" * 4096, False),
        (b"", False),
    ],
)
def test_a_kept_file_is_whole_when_it_has_as_many_bytes_as_the_mirror_said(
    tmp_path: Path, content: bytes, whole: bool
) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)

    assert packages.whole(path) is whole


def test_what_a_power_cut_broke_goes_once_after_a_start_and_all_else_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, mark = tmp_path / "kept", tmp_path / "looked"
    (folder / "a/bc").mkdir(parents=True)
    good, bad, fetching = (folder / "a/bc" / name for name in ("1" * 32, "2" * 32, f"{'3' * 32}.0000000001"))
    good.write_bytes(kept(b"x"))
    bad.write_bytes(kept(b"x", length=2))
    fetching.write_bytes(b"half")

    assert packages.main([str(folder), str(mark)]) == 0
    assert [path.exists() for path in (good, bad, fetching)] == [True, False, False]
    assert "1 kept files were not whole" in capsys.readouterr().out
    bad.write_bytes(kept(b"x", length=2))
    fetching.write_bytes(b"half")
    packages.main([str(folder), str(mark)])
    assert not fetching.exists(), "nginx forgets these, and its bounds do not know them"
    assert bad.exists(), "looked at once after a start: one that was killed is back at once"


SETTINGS = {
    "source": f"10.64.0.10:{PORT}",
    "windows": {name: {"day": "thu", "start": "02:00", "minutes": 45} for name in ("fetch", "install", "restart")},
    "freezes": [],
}


@pytest.mark.parametrize(("what", "waits"), [("fetch", True), ("install", False), ("restart", False)])
def test_a_machine_whose_cache_does_not_answer_fetches_later_and_says_so(what: str, waits: bool) -> None:
    now = updates.datetime.datetime.fromisoformat("2026-11-26 02:10")

    said = updates.refusal(SETTINGS, what, now, confirmed=True, needed=True, answers=False)

    assert bool(said) is waits
    assert not waits or f"10.64.0.10:{PORT} does not answer; it is tried again in the next window" in said
    assert updates.refusal(SETTINGS, what, now, confirmed=True, needed=True, answers=True) == ""


def test_whether_the_cache_answers_is_seen_at_its_own_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        address = f"127.0.0.1:{there.getsockname()[1]}"
        assert updates.cache_answers(address)

    assert not updates.cache_answers(address)
    assert updates.cache_answers(updates_of(SERVER, VIEW)["source"]), "the server asks nobody"


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ('mirrors: [{path: debian, upstream: "https://a.example"}, {path: debian, upstream: "https://b.example"}]',
         "these paths stand twice: debian"),
        ('mirrors: [{path: debian, upstream: "ftp://a.example/debian"}]', "mirrors[0].upstream"),
        ('mirrors: [{path: debian, upstream: "https://a.example/x;}"}]', "mirrors[0].upstream"),
        ('mirrors: [{path: debian, upstream: "https://a.example:8443"}]', "mirrors[0].upstream"),
        ('mirrors: [{path: "../etc", upstream: "https://a.example"}]', "mirrors[0].path"),
        ('mirrors: [{path: debian, url: "https://a.example"}]', "mirrors[0].url"),
    ],
)  # fmt: skip
def test_a_mirror_that_cannot_be_is_refused_with_the_estate(tmp_path: Path, edit: str, words: str) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        load_estate(written(tmp_path, "mirrors: []", edit))


def test_what_is_kept_outlives_the_dark(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"packages.yml:\d+: days"):
        load_estate(written(tmp_path, "days: 90", "days: 14"))


def written(folder: Path, old: str, new: str) -> Path:
    estate = Path(shutil.copytree(INVENTORIES, folder / "i", ignore=shutil.ignore_patterns("enrolment")))
    text = (estate / "packages.yml").read_text()
    assert old in text
    (estate / "packages.yml").write_text(text.replace(old, new, 1))
    return estate


# What `apt-get update --print-uris` says.
SOURCES = """'http://mirror.example/debian/dists/stable/InRelease' mirror.example_debian_dists_stable_InRelease 0
'http://mirror.example/debian/dists/stable-updates/InRelease' mirror.example_debian_dists_stable-updates_InRelease 0
'http://mirror.example/debian-security/dists/stable-security/InRelease' mirror.example_debian-security_InRelease 0
'http://other.example/debian/dists/stable/InRelease' other.example_debian_dists_stable_InRelease 0
'cdrom:[Debian]/dists/stable/InRelease' _dists_stable_InRelease 0
'http://flat.example/./InRelease' flat.example_._InRelease 0
'http://user:word@secret.example/own/dists/stable/InRelease' secret.example_own_dists_stable_InRelease 0
'http://mirror.example/debian/dists/stable/main/binary-amd64/Packages.xz' mirror.example_debian_Packages 0
"""
DECLARED = [{"path": "debian", "upstream": "https://mirror.example/pub/linux"}]


@pytest.fixture(scope="module")
def configured(run: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Return what the role writes for nginx, by whose mirrors it passes on: its locations, with the lines of each."""
    folder = tmp_path_factory.mktemp("packages")
    role = ROOT / "roles/package_cache"
    told = {**of_group("servers", VIEW), "__package_cache_sources": {"stdout": SOURCES}}
    plays = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars_files": [str(role / "vars/main.yml")],
            "vars": {**told, "package_cache_mirrors": mirrors, "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            "tasks": [{"ansible.builtin.template": {"src": str(role / "templates/packages.conf.j2"),
                                                   "dest": str(folder / name), "mode": "0644"}}],
        }
        for name, mirrors in (("declared", DECLARED), ("installed", []))
    ]  # fmt: skip
    (folder / "templates").symlink_to(role / "templates")
    (folder / "play.yml").write_text(yaml.safe_dump(plays))
    ansible = str(Path(sys.executable).with_name("ansible-playbook"))  # `make check` has it on no path
    done = run(ansible, "-i", "localhost,", str(folder / "play.yml"), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        name: dict(re.findall(r"location (?:\^~ )?(\S+) \{\n(.*?)\n        \}", (folder / name).read_text(), re.DOTALL))
        | {"": (folder / name).read_text()}
        for name in ("declared", "installed")
    }


def test_a_declared_mirror_is_all_that_is_passed_on_and_the_name_behind_it_is_verified(configured) -> None:
    said = configured["declared"]

    assert set(said) - {""} == {"/", "@away", "/debian/", "/debian/pool/"}
    assert said["/"].split() == ["return", "403;"]
    for place in ("/debian/", "/debian/pool/"):
        assert "set $mirror https://mirror.example;" in said[place]
        assert "rewrite ^/debian/(.*)$ /pub/linux/$1 break;" in said[place]
        assert "proxy_ssl_name mirror.example;" in said[place]
    assert "proxy_ssl_verify on;" in said[""]


def test_without_one_it_is_what_the_server_s_own_sources_name_each_path_once(configured) -> None:
    said = configured["installed"]

    paths = ["/debian/", "/debian/pool/", "/debian-security/", "/debian-security/pool/"]
    assert [place for place in said if place not in ("", "/", "@away")] == paths
    assert "set $mirror http://mirror.example;" in said["/debian/"]
    assert "secret" not in said[""]


def test_packages_are_kept_as_long_as_declared_lists_are_asked_for_again_and_both_are_bounded(configured) -> None:
    said = configured["declared"]

    assert "proxy_cache_valid 200 90d;" in said["/debian/pool/"]
    assert "proxy_cache_valid 200 1m;" in said["/debian/"]
    (bounds,) = re.findall(r"proxy_cache_path .*", said[""])
    assert {"max_size=8192m", "min_free=4096m", "inactive=90d;"} <= set(bounds.split())
    assert re.findall(r"listen (\S+);", said[""]) == [
        f"{a}:{PORT}" for a in of_group("servers", VIEW)["package_cache_addresses"]
    ]
