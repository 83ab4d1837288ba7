"""A mall's network as its file has it: printed, drawn, and told to the roles."""

from __future__ import annotations

import json
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from balai.addressing import Zone
from balai.mall import dhcp_of, links_of, resolver_of, sockets_of
from balai.sites import INVENTORIES, load_site

SITES = sorted((INVENTORIES / "sites").glob("*.yml"))
SVG = "{http://www.w3.org/2000/svg}"


def test_a_mall_is_shown_with_its_networks_and_machines(balai) -> None:
    shown = json.loads(balai("mall", "show", "mpp-banyuwangi", "--json").stdout)
    table = balai("mall", "show", "mpp-banyuwangi", BALAI_LANG="id").stdout

    cards = {row["card"]: row for row in shown["networks"]}
    assert cards["off1"]["network"] == "offices imigrasi"
    assert cards["off1"]["ipv6"] == "fd62:616c:6100:41::/64"
    assert shown["machines"][1]["own"] == "10.64.1.10 fd62:616c:6100:1::a"
    assert "alamat pinjaman" in table
    assert balai("mall", "show", "mpp-nowhere").returncode == 2


@pytest.mark.parametrize("path", SITES, ids=lambda path: path.stem)
def test_every_mall_has_a_card_and_a_lease_for_each_of_its_networks(path: Path) -> None:
    view = load_site(path)
    router = view.machines[0]

    names = [link.name for link in links_of(router, view)]
    leased = dhcp_of(view)

    assert len(set(names)) == len(names)
    assert all(len(name) <= 15 for name in names), "what a kernel takes"
    assert [item["link"] for item in leased] == [name for name in names if not name.startswith("wan")]
    assert all(item["pool"] == "" for item in leased if item["link"] in ("srv", "kio", "dsp", "cam"))
    assert {"udp/53", "udp/67", "udp/123", "tcp/22"} <= set(sockets_of(router, view))
    assert resolver_of(view)["records"][0]["name"] == f"router-1.{view.site.name}.balai.internal"


def test_the_page_of_verdicts_is_met_where_the_technician_is() -> None:
    """The server's own name is its card among servers, which takes no packet of the management network."""
    view = load_site(INVENTORIES / "sites/mpp-banyuwangi.yml")
    met = [r["address"] for r in resolver_of(view)["records"] if r["name"].startswith("periksa.")]
    management = (view.plan.zones[Zone.MANAGEMENT], view.plan.zones_v6[Zone.MANAGEMENT])

    assert len(met) == 2
    assert all(ip_address(a) in n for a, n in zip(met, management, strict=True))


def test_the_picture_has_every_network_and_no_wire_through_a_box(balai, tmp_path: Path) -> None:
    path = tmp_path / "mall.svg"

    assert balai("mall", "draw", "mpp-banyuwangi", "--out", str(path)).returncode == 0

    picture = ElementTree.parse(path).getroot()
    words = [text.text for text in picture.iter(f"{SVG}text")]
    for name in ("management", "offices imigrasi", "guests", "fibre", "10.64.8.32/27, fd62:616c:6100:41::/64"):
        assert name in words
    assert "→ data-centre: tcp/443" in words
    boxes = [
        tuple(float(box.attrib[key]) for key in ("x", "y", "width", "height"))
        for box in picture.iter(f"{SVG}rect")
        if "class" in box.attrib
    ]
    for wire in picture.iter(f"{SVG}polyline"):
        points = [tuple(map(float, point.split(","))) for point in wire.attrib["points"].split()]
        for (x1, y1), (x2, y2) in pairwise(points):
            for x, y, width, height in boxes:
                apart = max(x1, x2) <= x or min(x1, x2) >= x + width or max(y1, y2) <= y or min(y1, y2) >= y + height
                assert apart, wire.attrib["points"]


def test_the_script_for_routeros_is_the_one_that_was_read(balai, root: Path) -> None:
    golden = root / "tests/golden"
    known = golden / "enrolment"

    said = balai("mall", "routeros", "mpp-banyuwangi", BALAI_ENROLMENT=str(known)).stdout

    assert said == (golden / "mpp-banyuwangi.rsc").read_text(), (
        f"read the difference, then: BALAI_ENROLMENT={known.relative_to(root)} balai mall routeros mpp-banyuwangi "
        "> tests/golden/mpp-banyuwangi.rsc"
    )
    accepted = [
        line for line in said.splitlines() if "chain=forward action=accept" in line and "connection" not in line
    ]
    assert not any("in-interface=off1" in line for line in accepted), "the shared counter stays closed"
    assert any("in-interface=off0 src-mac-address=02:00:00:00:00:01" in line for line in accepted)


@pytest.mark.parametrize(("day", "office"), [("2026-12-02", "imigrasi"), ("2026-12-03", None), ("2026-12-09", None)])
def test_whose_counter_it_is_on_a_day_is_answered(balai, day: str, office: str | None) -> None:
    said = json.loads(balai("mall", "counters", "mpp-banyuwangi", "--on", day, "--json").stdout)

    assert said["counters"] == {"1": "dukcapil", "2": office}
    words = balai("mall", "counters", "mpp-banyuwangi", "--on", day, BALAI_LANG="id").stdout
    assert f"{day}: loket 2: {office or 'tutup'}" in words
