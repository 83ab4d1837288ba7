"""The page of a mall's verdicts: who may tell what, who may read, and what is said of whom nobody hears."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from balai.mall.inventory import of_group, status_of
from balai.models import Site, load
from balai.onsite import status, verdicts
from balai.onsite.verdicts import RefusedError, Verdicts, handler
from balai.sites import INVENTORIES, load_site
from balai.yamlfile import Document, read

PATH = INVENTORIES / "sites/mpp-banyuwangi.yml"
VIEW = load_site(PATH)
SETTINGS = of_group("servers", VIEW)["verdicts_settings"]
ROUTER, SERVER, KIOSK = (f"mpp-banyuwangi-{short}" for short in ("router-1", "server-1", "kiosk-1"))
CLOCK = {"kind": "clock", "number": 0}
CABLE = {"kind": "cable", "number": 2, "card": "srv", "network": "servers"}
LAPTOP = "10.64.0.200"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def page(clock: Clock) -> Verdicts:
    return Verdicts(SETTINGS, clock)


def said(machine: str, *findings: dict[str, Any]) -> dict[str, Any]:
    return {"machine": machine, "code": status.code(list(findings)), "findings": list(findings)}


def everybody(page: Verdicts) -> None:
    for name, addresses in SETTINGS["machines"].items():
        page.take(addresses[0], said(name))


def test_when_every_machine_has_said_that_it_works_everything_works(page: Verdicts) -> None:
    everybody(page)

    assert "<h1>Semua berjalan</h1>" in page.page("id")
    assert "<h1>Everything works</h1>" in page.page("en")
    assert "<section>" not in page.page("id")


def test_a_finding_stands_with_its_step_its_code_and_whom_to_call(page: Verdicts) -> None:
    everybody(page)
    page.take(SETTINGS["machines"][SERVER][0], said(SERVER, CABLE, CLOCK))
    shown = page.page("id")

    assert "<h1>2 hal tidak berjalan</h1>" in shown
    assert "Kabel kartu srv (jaringan servers) tidak bersinyal. Colokkan kembali kedua ujungnya" in shown
    assert f"telepon pusat dan sebutkan: {SERVER}, kode K2 W" in shown
    assert f"Berjalan: {ROUTER}," in shown


def test_the_sentences_are_those_that_the_machine_itself_says(
    page: Verdicts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = status_of(next(m for m in VIEW.machines if m.name == SERVER), VIEW)
    monkeypatch.setattr(status, "findings", lambda _: [CABLE, CLOCK])
    monkeypatch.setenv("BALAI_LANG", "id")

    status.show(server)
    page.take(SETTINGS["machines"][SERVER][0], status.verdict(server))

    (machine,) = [m for m in page.machines({k: t["id"] for k, t in SETTINGS["texts"].items()}) if m["name"] == SERVER]
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(". ")[2] for line in lines[1:3]] == machine["sentences"]
    assert lines[-1] in page.page("id"), "the number, or that there is none"


def test_nobody_s_number_is_invented_and_a_declared_one_is_shown(clock: Clock) -> None:
    known = Verdicts({**SETTINGS, "helpdesk": "0333-123456"}, clock)
    for page in (known, unknown := Verdicts(SETTINGS, clock)):
        page.take(SETTINGS["machines"][SERVER][0], said(SERVER, CLOCK))

    assert SETTINGS["helpdesk"] == ""
    assert "0333-123456" in known.page("id")
    assert "Nomor telepon pusat belum dicatat" in unknown.page("id")


@pytest.mark.parametrize(("given", "taken"), [("0333-123456", True), ("unknown", True), ("call me", False)])
def test_a_helpdesk_is_a_number_or_unknown(given: str, taken: bool) -> None:
    document = read(PATH)
    changed = Document(**{**vars(document), "data": {**document.data, "helpdesk": given}})

    if taken:
        assert load(Site, changed).helpdesk == given
    else:
        with pytest.raises(Exception, match="helpdesk"):
            load(Site, changed)


@pytest.mark.parametrize(
    ("source", "body", "code"),
    [
        (SETTINGS["machines"][KIOSK][0], said(SERVER), 403),
        (LAPTOP, said(SERVER), 403),
        ("10.64.2.77", said("mpp-banyuwangi-kiosk-77"), 403),
        (SETTINGS["machines"][SERVER][0], {**said(SERVER, CLOCK), "code": "<b>"}, 400),
        (SETTINGS["machines"][SERVER][0], {**said(SERVER), "code": "K1"}, 400),
        (SETTINGS["machines"][SERVER][0], {**said(SERVER, CLOCK), "code": "OK"}, 400),
        (SETTINGS["machines"][SERVER][0], said(SERVER, *[CLOCK] * 61), 400),
        (SETTINGS["machines"][SERVER][0], said(SERVER, {**CLOCK, "name": "x" * 200}), 400),
        (SETTINGS["machines"][SERVER][0], said(SERVER, {**CLOCK, "name": ["x"]}), 400),
    ],
)
def test_a_verdict_is_taken_from_its_own_machine_alone_and_in_its_own_form(
    page: Verdicts, source: str, body: dict[str, Any], code: int
) -> None:
    with pytest.raises(RefusedError) as caught:
        page.take(source, body)

    assert caught.value.code == code
    assert page.told == {}


def test_each_address_that_the_plan_gives_a_machine_is_its_own(page: Verdicts) -> None:
    for address in SETTINGS["machines"][KIOSK]:
        page.told.clear()
        page.take(address, said(KIOSK))

        assert set(page.told) == {KIOSK}
    assert len(SETTINGS["machines"][KIOSK]) == 4, "two cards, and two versions of IP"


def test_what_a_machine_says_is_text_and_never_markup(page: Verdicts) -> None:
    page.take(SETTINGS["machines"][SERVER][0], said(SERVER, {**CABLE, "card": "<script>"}))

    assert "<script" not in page.page("id")
    assert "&lt;script&gt;" in page.page("id")


def test_a_finding_of_another_release_is_not_lost(page: Verdicts) -> None:
    new = {"machine": SERVER, "code": "Z1", "findings": [{"kind": "fan", "number": 1}]}
    page.take(SETTINGS["machines"][SERVER][0], new)

    assert "Temuan yang belum dikenal server ini" in page.page("id")
    assert "kode Z1" in page.page("id")


def test_a_machine_that_tells_nothing_for_five_minutes_is_a_finding_with_its_step(page: Verdicts, clock: Clock) -> None:
    everybody(page)
    clock.now += 200
    for name in (SERVER, ROUTER):
        page.take(SETTINGS["machines"][name][0], said(name))
    clock.now += 101
    shown = page.page("id")

    assert f"{KIOSK} tidak berkabar sejak 5 menit. Periksa daya dan kabelnya" in shown
    assert f"{SERVER} tidak berkabar" not in shown
    assert f"{KIOSK}, kode M" in shown


def test_who_was_never_heard_is_waited_for_and_then_silent(page: Verdicts, clock: Clock) -> None:
    before = page.page("id")
    clock.now += 301
    after = page.page("id")

    count = len(SETTINGS["machines"])
    assert f"<h1>Menunggu kabar dari {count} mesin</h1>" in before
    assert f"<h1>{count} hal tidak berjalan</h1>" in after
    assert "Dikabarkan" not in after, "nobody has told anything"


def test_a_silent_machine_s_code_is_no_finding_s_letter() -> None:
    assert verdicts.SILENT not in status.LETTERS.values()


Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(page: Verdicts) -> Iterator[Ask]:
    """Ask the program as Caddy does."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(page))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def one(path: str, source: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{server.server_address[1]}{path}"
        request = urllib.request.Request(url, body, {"X-Forwarded-For": source, **headers})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    yield one
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (LAPTOP, 200),
        ("fd62:616c:6100::c8", 200),
        *[(address, 200) for address in SETTINGS["machines"][SERVER]],
        *[(address, 403) for address in SETTINGS["machines"][KIOSK]],
        ("10.64.2.99", 403),
        ("10.64.16.5", 403),
        ("192.168.3.4", 403),
        (f"{LAPTOP}, 10.64.2.99", 403),
        ("", 403),
        ("nobody", 403),
    ],
)
def test_only_the_management_network_without_its_screens_and_the_server_read(ask: Ask, source: str, code: int) -> None:
    answered, words = ask("/periksa/", source)

    assert answered == code
    assert ("Menunggu kabar" in words) == (code == 200)
    assert ("hanya untuk teknisi" in words) == (code == 403)


def test_the_page_is_read_again_without_a_script_and_in_the_language_that_is_asked_for(ask: Ask) -> None:
    plain = ask("/periksa/", LAPTOP)[1]

    assert "<meta http-equiv=refresh content=15>" in plain
    assert "<script" not in plain
    assert "<html lang=id>" in plain
    assert "<html lang=en>" in ask("/periksa/?lang=en", LAPTOP)[1]
    assert "<html lang=en>" in ask("/periksa/", LAPTOP, **{"Accept-Language": "en-GB,id;q=0.5"})[1]
    assert "<html lang=id>" in ask("/periksa/?lang=id", LAPTOP, **{"Accept-Language": "en-GB"})[1]


def test_what_is_no_verdict_is_refused_and_the_program_goes_on(ask: Ask, page: Verdicts) -> None:
    own = SETTINGS["machines"][SERVER][0]
    answers = [
        ask("/api/verdicts", own, b"{")[0],
        ask("/api/verdicts", own, b"[" * 9000)[0],
        ask("/api/verdicts", own, b"x" * 20000)[0],
        ask("/api/verdicts", own, b"{}")[0],
        ask("/api/verdicts", own, b"[1]")[0],
        ask("/api/verdicts", "nobody", json.dumps(said(SERVER)).encode())[0],
        ask("/api/other", own, json.dumps(said(SERVER)).encode())[0],
        ask("/periksa/other", own)[0],
    ]

    assert answers == [400, 400, 413, 400, 400, 400, 413, 404]
    assert ask("/api/verdicts", own, json.dumps(said(SERVER)).encode()) == (200, "{}")
    assert set(page.told) == {SERVER}
