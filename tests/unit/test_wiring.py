"""Which cable goes where: proposed from the plan, or as it is recorded."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from balai.mall import links_of
from balai.mall.wiring import missing, sheet, sockets, switches_of
from balai.sites import INVENTORIES, load_site

SITES = sorted((INVENTORIES / "sites").glob("*.yml"))
SITE = INVENTORIES / "sites" / "mpp-banyuwangi.yml"
SHARED = {"router", "trunk", "management", "cameras", "guests"}


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.stem)
def test_a_proposal_has_a_socket_for_every_card_once_and_the_router_s_vlan_on_it(path: Path) -> None:
    view = load_site(path)
    tags = {link.name: link.tag for link in links_of(view.machines[0], view) if link.tag}
    used = [socket for socket in sockets(view) if socket.cable]
    plugged = Counter(socket.cable for socket in used)

    assert missing(view) == []
    assert {cable for cable, times in plugged.items() if times > 1} <= SHARED - {"router"}
    for machine in view.machines[1:]:
        for link in links_of(machine, view):
            cable = f"{machine.kind}-{machine.number}.{link.name}"
            assert [s.untagged for s in used if s.cable == cable] == [tags[link.name]]
    (trunk,) = [socket for socket in used if socket.cable == "router"]
    assert trunk.tagged == tuple(sorted(tags.values()))


def recorded(folder: Path, wiring: str) -> Path:
    shutil.copytree(INVENTORIES, folder, dirs_exist_ok=True)
    path = folder / "sites" / SITE.name
    path.write_text(path.read_text() + wiring)
    return path


def test_what_a_proposal_prints_can_be_recorded_as_it_is(balai, tmp_path: Path) -> None:
    proposal = load_site(SITE)
    said = balai("mall", "wiring", "mpp-banyuwangi", "--record").stdout

    view = load_site(recorded(tmp_path, said))

    assert view.site.switches == switches_of(proposal)
    assert sockets(view) == sockets(proposal)
    assert "PROPOSAL" not in sheet(view) + balai("mall", "wiring", "mpp-banyuwangi", BALAI_INVENTORIES=tmp_path).stdout


def test_a_recorded_wiring_says_what_has_no_socket_and_where_a_counter_belongs(tmp_path: Path) -> None:
    wiring = "switches:\n- name: loket\n  ports: 8\n  wiring: {1: router, 3: counter-2.imigrasi, 8: server-1.srv}\n"
    view = load_site(recorded(tmp_path, wiring))

    assert [(s.label, s.network, s.untagged) for s in sockets(view) if s.cable][1:] == [
        ("loket/03 counter-2.imigrasi", "offices imigrasi", 101),
        ("loket/08 server-1.srv", "servers", 11),
    ]
    assert "kiosk-2.kio" in missing(view)
    assert "counter-1.dukcapil" in missing(view)
    assert "kiosk-2.kio" in sheet(view)


def test_a_mall_with_more_cards_than_sockets_gets_another_switch_over_a_trunk(tmp_path: Path) -> None:
    path = recorded(tmp_path, "devices: {kiosk: 30}\n")
    first, second = switches_of(load_site(path))

    assert list(first.wiring.values()).count("trunk") == list(second.wiring.values()).count("trunk") == 1
    assert missing(load_site(path)) == []


def test_the_sheet_is_a_page_with_every_label_in_the_reader_s_language(balai, tmp_path: Path) -> None:
    out = tmp_path / "sheet.html"
    assert balai("mall", "wiring", "mpp-banyuwangi", "--out", str(out), BALAI_LANG="id").returncode == 0
    rows = json.loads(balai("mall", "wiring", "mpp-banyuwangi", "--json").stdout)

    page = out.read_text()

    assert "USULAN" in page
    assert rows["recorded"] is False
    assert all(row["label"] in page for row in rows["sockets"])
    assert page.count("<tr") == 48 + 1
