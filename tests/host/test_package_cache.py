"""Packages of the lab's mall: one machine fetches, another installs it without a way out, and nobody else is served."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balai.mall.packages import PORT
from lab import internet, machines

pytestmark = pytest.mark.lab

HOSTS = {host.short: host for host in machines.hosts()}
SERVER, KIOSK, DISPLAY = HOSTS["server-1"], HOSTS["kiosk-1"], HOSTS["display-1"]
(OFFICE,) = [host for host in machines.visitors() if host.short == "office-1"]
CACHE = f"http://{SERVER.address}:{PORT}"
SETTINGS, UNIT = "/etc/balai/packages.conf", "balai-packages"
PROBES = ("balai-probe-one", "balai-probe-two")
# apt as it is set up, but for its sources: those of the lab's hosts name a mirror of the machine that built them.
LISTS, SOURCES = "/var/lib/balai-test-lists", "/etc/apt/balai-test.list"
APT = ["apt-get", "-q", "-o", "Dir::Etc::SourceParts=-", "-o", f"Dir::Etc::SourceList={SOURCES}",
       "-o", f"Dir::State::Lists={LISTS}", "-o", "Acquire::Retries=0"]  # fmt: skip


def inside(host: machines.Host, *argv: str) -> subprocess.CompletedProcess[str]:
    return machines.inside(host, *argv, seconds=60)


def eventually(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def built(folder: Path, path: str) -> None:
    """Make a repository of the probes below a folder, as a mirror has it."""
    pool, lists = folder / path / "pool", folder / path / "dists/lab/main/binary-amd64"
    pool.mkdir(parents=True)
    lists.mkdir(parents=True)
    stanzas = []
    for name in PROBES:
        control = (
            f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: lab <lab@example.org>\nDescription: {name}\n"
        )
        (folder / name / "DEBIAN").mkdir(parents=True)
        (folder / name / "DEBIAN/control").write_text(control)
        made = pool / f"{name}_1_all.deb"
        subprocess.run(["dpkg-deb", "--build", folder / name, made], check=True, capture_output=True)
        digest = hashlib.sha256(made.read_bytes()).hexdigest()
        stanzas.append(f"{control}Filename: pool/{made.name}\nSize: {made.stat().st_size}\nSHA256: {digest}\n")
    words = "\n".join(stanzas).encode()
    (lists / "Packages").write_bytes(words)
    entry = f" {hashlib.sha256(words).hexdigest()} {len(words)} main/binary-amd64/Packages\n"
    (lists.parents[1] / "Release").write_text(f"Suite: lab\nCodename: lab\nSHA256:\n{entry}")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A mirror in the lab's internet, which the cache passes on for a while; return its path."""
    folder = tmp_path_factory.mktemp("mirror")
    path = re.findall(r"location \^~ /(\S+)/pool/ ", inside(SERVER, "cat", SETTINGS).stdout)[0]
    built(folder, path)
    serve = [sys.executable, "-m", "http.server", "80", "--bind", internet.WEB, "--directory", str(folder)]
    argv = ["nsenter", f"--net=/run/netns/{internet.NETNS}", *serve]
    # Names of mirrors are not known in the lab, and what it must not reach is not asked for.
    change = (
        rf"cp {SETTINGS} /run/kept.conf; sed -i 's|set \$mirror .*;|set $mirror http://{internet.WEB};|' {SETTINGS}"
    )
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as web:
        try:
            inside(SERVER, "sh", "-c", f"{change}; sed -i 's|rewrite ^/{path}/.*|rewrite ^(.*)$ $1 break;|' {SETTINGS}")
            inside(SERVER, "systemctl", "restart", UNIT)
            eventually(lambda: inside(SERVER, "curl", "-s", f"http://{internet.WEB}/").returncode == 0)
            eventually(lambda: inside(SERVER, "curl", "-s", CACHE).returncode == 0)
            for host in (KIOSK, DISPLAY):
                _knows(host, path)
            yield path
        finally:
            web.terminate()
            back = f"mv /run/kept.conf {SETTINGS}; rm -rf /var/cache/{UNIT}/*; systemctl restart {UNIT}"
            inside(SERVER, "sh", "-c", back)
            for host in (KIOSK, DISPLAY):
                inside(host, "sh", "-c", f"dpkg --purge {' '.join(PROBES)}; rm -rf {LISTS} {SOURCES}; apt-get clean")


def _knows(host: machines.Host, path: str) -> None:
    source = f"deb [trusted=yes] http://no.example/{path} lab main"
    inside(host, "sh", "-c", f"mkdir -p {LISTS}; echo '{source}' > {SOURCES}")
    done = inside(host, *APT, "update")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Failed" not in done.stdout + done.stderr


@pytest.fixture
def dark() -> Iterator[Callable[[], None]]:
    """What cuts the mall's ways out until the test has ended."""
    lines = [provider.number for provider in internet.PROVIDERS]
    yield lambda: [internet.cut(line) for line in lines] and None
    for line in lines:
        internet.restore(line)


def test_what_one_machine_fetched_another_installs_without_a_way_out_and_all_else_fails_in_words(
    path: str, dark: Callable[[], None]
) -> None:
    kept, never = PROBES
    assert inside(KIOSK, *APT, "install", "-y", kept).returncode == 0
    dark()
    inside(SERVER, "systemctl", "kill", "-s", "KILL", UNIT)  # its own restart needs no way out either
    eventually(lambda: inside(SERVER, "curl", "-s", CACHE).returncode == 0)

    assert inside(DISPLAY, *APT, "install", "-y", kept).returncode == 0
    refused = inside(DISPLAY, *APT, "install", "-y", never)

    assert refused.returncode == 100
    assert "503  Service Temporarily Unavailable" in refused.stderr


def test_what_is_no_declared_mirror_s_and_whoever_is_no_machine_of_the_mall_is_refused(path: str) -> None:
    def asks(host: machines.Host, url: str) -> str:
        return inside(host, "curl", "-s", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}", "-x", CACHE, url).stdout

    assert asks(KIOSK, f"http://no.example/{path}/dists/lab/Release") == "200"
    assert asks(KIOSK, "http://no.example/else/dists/lab/Release") == "403"
    assert asks(OFFICE, f"http://no.example/{path}/dists/lab/Release") == "000"


def test_the_cache_leaves_port_80_alone_and_is_named_when_it_has_stopped() -> None:
    assert inside(SERVER, "systemctl", "is-enabled", "nginx").stdout.strip() == "masked"
    inside(SERVER, "systemctl", "stop", UNIT)
    said = inside(SERVER, "balai-mall", "status").stdout
    inside(SERVER, "systemctl", "start", UNIT)

    assert UNIT in said
    assert inside(SERVER, "systemctl", "is-active", UNIT).stdout.strip() == "active"
