"""What screens are told: profiles, the services of flows, and policies."""

from __future__ import annotations

import ipaddress
import shutil
from pathlib import Path

import pytest
import yaml

from balai.addressing import Zone
from balai.errors import DataError
from balai.mall.inventory import of_group, of_machine
from balai.mall.screens import SHELL, places_of, policies_of, profile_of, queue_of, screen_of
from balai.sites import INVENTORIES, SiteView, load_site

VIEW = load_site(INVENTORIES / "sites/mpp-banyuwangi.yml")
MACHINES = {machine.name.removeprefix("mpp-banyuwangi-"): machine for machine in VIEW.machines}


def test_the_first_kiosk_gives_numbers_others_inform_and_displays_call() -> None:
    names = {
        short: profile_of(machine, VIEW)[0]
        for short, machine in MACHINES.items()
        if "router" not in short and "server" not in short
    }

    assert names == {"kiosk-1": "queue", "kiosk-2": "information", "display-1": "hall", "display-2": "hall"}


def test_a_kiosk_offers_what_flows_let_it_begin_with_and_no_more() -> None:
    offered = {place["name"] for place in places_of(MACHINES["kiosk-1"], VIEW)}

    assert offered == {s for flow in VIEW.flows if "kiosks" in flow.sources for s in flow.services}
    assert "kependudukan/web" not in offered
    assert places_of(MACHINES["display-1"], VIEW) == []


def test_allowed_are_the_shell_the_mall_s_server_and_the_services_by_their_exact_names() -> None:
    kiosk, display = (policies_of(MACHINES[name], VIEW)["URLAllowlist"] for name in ("kiosk-1", "display-1"))

    assert kiosk[0] == display[0] == SHELL
    assert display[1:] == ["https://.server-1.mpp-banyuwangi.balai.internal:443"]
    assert "https://.portal-layanan.balai.internal:443" in kiosk
    assert all(origin.startswith("https://.") and origin.endswith(":443") for origin in kiosk[1:])


def test_every_kiosk_and_display_is_told_and_no_other_machine() -> None:
    told = {short: "kiosk_policies" in of_machine(machine, VIEW) for short, machine in MACHINES.items()}

    assert {short for short, is_told in told.items() if is_told} == {"kiosk-1", "kiosk-2", "display-1", "display-2"}
    assert not any(key.startswith("kiosk_") for key in of_group("servers", VIEW))


def test_a_screen_has_every_sentence_for_what_may_become_of_a_service() -> None:
    texts = screen_of(MACHINES["kiosk-1"], VIEW)["texts"]

    assert {
        f"screen_{word}" for word in ("works", "broken", "silent", "doubtful", "asking", "refuse", "store", "local")
    } <= set(texts)


def test_an_office_keeps_its_letter_whatever_stands_around_it() -> None:
    offices = queue_of(VIEW)["offices"]
    letters = {name: office["letter"] for name, office in offices.items()}

    assert letters == {"dukcapil": "A", "imigrasi": "B"}
    assert offices["dukcapil"]["title"] == "Direktorat Jenderal Kependudukan dan Pencatatan Sipil"


def test_letters_of_all_slots_differ() -> None:
    offices = [office.model_copy(update={"slot": slot}) for slot in range(64) for office in VIEW.site.offices[:1]]
    from balai.mall.screens import _letter

    assert len({_letter(office.slot) for office in offices}) == 64


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    """The inventories, to break."""
    return Path(shutil.copytree(INVENTORIES, tmp_path / "inventories", ignore=shutil.ignore_patterns("enrolment")))


def load(estate: Path) -> SiteView:
    return load_site(estate / "sites/mpp-banyuwangi.yml")


def test_a_site_gives_a_machine_another_profile(estate: Path) -> None:
    with (estate / "sites/mpp-banyuwangi.yml").open("a") as file:
        file.write("screens: {kiosk-2: queue}\n")
    view = load(estate)

    assert profile_of(next(m for m in view.machines if m.name.endswith("kiosk-2")), view)[0] == "queue"


def test_machines_and_profiles_that_there_are_not_are_told_with_their_lines(estate: Path) -> None:
    with (estate / "sites/mpp-banyuwangi.yml").open("a") as file:
        file.write("screens: {kiosk-9: queue, kiosk-2: quene}\n")

    with pytest.raises(DataError) as caught:
        load(estate)

    given = {problem.given: problem for problem in caught.value.problems}
    assert set(given) == {"'kiosk-9'", "'quene'"}
    assert "queue" in given["'quene'"].fix
    assert all(problem.line for problem in given.values())


def test_a_screen_that_calls_numbers_stands_at_a_counter(estate: Path) -> None:
    with (estate / "sites/mpp-banyuwangi.yml").open("a") as file:
        file.write("screens: {display-2: caller}\ncallers: {display-2: 2}\n")
    view = load(estate)
    display = next(machine for machine in view.machines if machine.name.endswith("display-2"))

    assert screen_of(display, view)["page"].endswith("/loket/")
    v4, v6 = queue_of(view)["callers"]
    assert ipaddress.ip_address(v4) in view.plan.zones[Zone.DISPLAYS]
    assert ipaddress.ip_address(v6) in view.plan.zones_v6[Zone.DISPLAYS]
    assert set(queue_of(view)["callers"].values()) == {2}


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("screens: {display-2: caller}", "screens.display-2"),
        ("callers: {display-2: 2}", "callers.display-2"),
        ("screens: {display-2: hall}\ncallers: {display-2: 2}", "callers.display-2"),
        ("screens: {display-2: caller}\ncallers: {display-2: 99}", "callers.display-2"),
        ("screens: {display-2: caller}\ncallers: {display-2: 2, kiosk-9: 2}", "callers.kiosk-9"),
    ],
)
def test_a_caller_without_its_counter_or_a_counter_without_its_caller_is_refused(
    estate: Path, lines: str, key: str
) -> None:
    with (estate / "sites/mpp-banyuwangi.yml").open("a") as file:
        file.write(f"{lines}\n")

    with pytest.raises(DataError) as caught:
        load(estate)

    assert [problem.key for problem in caught.value.problems] == [key]
    assert all(problem.line and problem.fix for problem in caught.value.problems)


def test_not_every_screen_of_a_mall_calls_numbers(estate: Path) -> None:
    path = estate / "screens.yml"
    path.write_text(path.read_text().replace("display: hall", "display: caller"))

    with pytest.raises(DataError, match="stands at a counter"):
        load(estate)


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ({"touch": True, "services": True}, "idle_seconds"),
        ({"idle_seconds": 60, "page": "papan"}, "idle_seconds"),
        ({}, "a page"),
        ({"services": True}, "nobody touches"),
    ],
)
def test_a_profile_that_cannot_be_is_refused(estate: Path, profile: dict, words: str) -> None:
    path = estate / "screens.yml"
    screens = yaml.safe_load(path.read_text())
    screens["profiles"]["wrong"] = {"title": "Salah", "title_en": "Wrong", **profile}
    path.write_text(yaml.safe_dump(screens))

    with pytest.raises(DataError, match=words):
        load(estate)


def test_a_default_that_is_no_profile_is_refused(estate: Path) -> None:
    path = estate / "screens.yml"
    path.write_text(path.read_text().replace("display: hall", "display: hal"))

    with pytest.raises(DataError, match="hal"):
        load(estate)
