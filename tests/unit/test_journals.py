"""Who sends a mall's server its journal, where it is let in, and what becomes of it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined

from balai.addressing import Zone
from balai.flows import compile_for, may
from balai.flows.compiled import Kind
from balai.mall.inventory import of_group, of_machine, of_site
from balai.sites import INVENTORIES, load_site

PATH = INVENTORIES / "sites/mpp-banyuwangi.yml"
ROLES = INVENTORIES.parent / "roles"
VIEW = load_site(PATH)
PORT = 19532


def rendered(template: str, **variables: Any) -> str:
    made = Environment(undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)  # as Ansible's
    made.filters["comment"] = lambda text: f"# {text}"
    return made.from_string((ROLES / template).read_text()).render(ansible_managed="managed", **variables)


def test_every_machine_but_the_server_sends_and_each_has_a_folder_of_its_own() -> None:
    machines = of_group("servers", VIEW)["log_receive_machines"]

    assert machines == [m.name for m in VIEW.machines if m.name != "mpp-banyuwangi-server-1"]
    assert of_site(VIEW)["log_upload_signer"] == "mpp-banyuwangi-server-1"
    assert [of_machine(m, VIEW)["log_upload_name"] for m in VIEW.machines if m.name in machines] == machines


def test_a_spare_server_sends_its_journal_to_the_first(tmp_path: Path) -> None:
    path = tmp_path / PATH.name
    path.write_text(f"{PATH.read_text()}\ndevices: {{server: 2}}\n")
    view = load_site(path)

    assert "mpp-banyuwangi-server-2" in of_group("servers", view)["log_receive_machines"]


def test_both_ends_call_the_server_by_the_same_name_on_the_same_port() -> None:
    host = of_group("servers", VIEW)["log_receive_host"]
    sender = rendered("log_upload/templates/upload.service.j2", log_upload_host=of_site(VIEW)["log_upload_host"],
                      **{"__log_upload_home": "/h", "__log_upload_key": "/k"})  # fmt: skip

    assert f"--url=https://{host}:{PORT} " in sender
    assert may(VIEW.flows, "management", "servers", f"tcp/{PORT}").flow == "journals"


@pytest.mark.parametrize("end", ["offices", "guests", "kiosks", "displays", "cameras", "internet"])
def test_nobody_sends_from_a_network_in_which_others_stand(end: Any) -> None:
    assert not may(VIEW.flows, end, "servers", f"tcp/{PORT}").permitted


@pytest.mark.parametrize("kind", ["router", "kiosk", "display"])
def test_no_other_machine_takes_journals_in(kind: Kind) -> None:
    assert not [r for r in compile_for(kind, VIEW.flows, VIEW.plan) if r.port == PORT and r.chain == "input"]


def test_the_server_takes_them_from_the_management_network_alone() -> None:
    (v4, v6) = [r for r in compile_for("server", VIEW.flows, VIEW.plan) if r.port == PORT]

    assert [*v4.sources, *v6.sources] == [VIEW.plan.zones[Zone.MANAGEMENT], VIEW.plan.zones_v6[Zone.MANAGEMENT]]


def test_who_shows_no_certificate_of_the_mall_is_refused_and_each_goes_to_its_own_receiver() -> None:
    machines = of_group("servers", VIEW)["log_receive_machines"]
    page = rendered("log_receive/templates/logs.caddy.j2", log_receive_host="x", log_receive_machines=machines,
                    **{"__log_receive_home": "/h", "__log_receive_port": PORT})  # fmt: skip

    assert "mode require_and_verify" in page
    pairs = re.findall(
        r'subject\} == "CN=(\S+)"\n\t\}\n\thandle @(\S+) \{\n\t\treverse_proxy unix//run/balai-logs/(\S+)\.sock', page
    )
    assert pairs == [(name, name, name) for name in machines]
    assert "handle {\n\t\trespond 403" in page


def test_what_is_kept_and_what_is_being_written_are_the_bound_together() -> None:
    unit = rendered("log_receive/templates/bound.service.j2", log_receive_mib=512,
                    **{"__log_receive_open": 128, "__log_receive_place": "/p"})  # fmt: skip

    assert "--vacuum-size=384M" in unit
    assert "at most 512 MiB" in unit


def test_a_certificate_is_for_the_name_that_the_run_says_and_not_for_the_one_that_is_asked_for(tmp_path: Path) -> None:
    """A machine that somebody else holds must not get one for another machine's folder."""
    script = tmp_path / "authority"
    words = rendered("log_receive/templates/log-authority.sh.j2", log_receive_site="mpp-x",
                     **{"__log_receive_home": str(tmp_path)})  # fmt: skip
    script.write_text(words.replace("/etc/ssl/private", str(tmp_path / "private")))
    key, made = tmp_path / "own.key", tmp_path / "own.crt"
    subprocess.run(["sh", script, "make"], check=True, capture_output=True)
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key],
                   check=True, capture_output=True)  # fmt: skip
    request = subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=mpp-x-router-1"],
                             check=True, capture_output=True).stdout  # fmt: skip

    made.write_bytes(subprocess.run(["sh", script, "sign", "mpp-x-kiosk-1"], input=request, check=True,
                                    capture_output=True).stdout)  # fmt: skip

    said = subprocess.run(["openssl", "x509", "-in", made, "-noout", "-subject", "-ext", "basicConstraints,extendedKeyUsage"],
                          check=True, capture_output=True, text=True).stdout  # fmt: skip
    assert "CN = mpp-x-kiosk-1" in said
    assert "CA:FALSE" in said
    assert "TLS Web Client Authentication" in said
    subprocess.run(["openssl", "verify", "-trusted", tmp_path / "authority.crt", made], check=True, capture_output=True)
    assert (tmp_path / "private/balai-log-authority.key").stat().st_mode & 0o777 == 0o600


def test_the_bound_is_kept_in_each_machine_s_folder_and_with_none_there_is_nothing_to_do(tmp_path: Path) -> None:
    place, bin_ = tmp_path / "remote", tmp_path / "bin"
    place.mkdir()
    bin_.mkdir()
    (bin_ / "journalctl").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    (bin_ / "journalctl").chmod(0o755)
    unit = rendered("log_receive/templates/bound.service.j2", log_receive_mib=512,
                    **{"__log_receive_place": place, "__log_receive_open": 128})  # fmt: skip
    (script,) = re.findall(r"^ExecStart=/bin/sh -c '(.*)'$", unit.replace("$$", "$"), flags=re.MULTILINE)

    for machine in ("", "kiosk-1"):
        (place / machine).mkdir(exist_ok=True)
        subprocess.run(["sh", "-c", script], check=True, env={"PATH": f"{bin_}:/usr/bin:/bin"})

    assert (tmp_path / "asked").read_text() == f"-q --directory={place}/kiosk-1/ --vacuum-size=384M\n"
