"""The spool of a mall: sealed, bounded, in order, once."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balai.errors import DataError
from balai.mall.intake import intake_of
from balai.onsite import intake, screen
from balai.onsite.intake import RefusedError, Spool, deliver, handler
from balai.sites import INVENTORIES, load_site

SERVICE = "portal-layanan/aduan"
PLACE = {
    "service": SERVICE,
    "title": {"id": "x", "en": "x"},
    "url": "https://x/",
    "recipient": "age1x",
    "days": 21,
    "mib": 1,
    "kib": 64,
    "kbit": 10_000_000,
}
SETTINGS = {
    "mall": "MPP",
    "site": "mpp-x",
    "kiosks": ["127.0.0.0/8"],
    "places": [PLACE],
    "texts": {},
}
NOW = 1_800_000_000.0
COUNT = itertools.count()


def key() -> str:
    return f"key-{next(COUNT):016}"


def reverse(words: bytes, recipient: str) -> bytes:
    """A seal that a test can open."""
    return recipient.encode() + words[::-1]


def opened(sealed: bytes) -> dict:
    return json.loads(sealed.removeprefix(b"age1x")[::-1])


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(SETTINGS, tmp_path / "q", reverse)


def sent_by(spool: Spool, answers: list[str]) -> list[object]:
    """Return the words that are sent on, in order, while the tenant answers so."""
    stop, sent = threading.Event(), []

    def sending(name: str, digest: str, sealed: bytes) -> str:
        sent.append(opened(sealed)["words"])
        answer = answers.pop(0)
        if not answers:
            stop.set()
        return answer

    deliver(spool, SERVICE, sending, stop)
    return sent


def test_nothing_is_on_disk_but_what_is_sealed(spool: Spool, tmp_path: Path) -> None:
    spool.take(SERVICE, key(), {"words": "rahasia warga"}, NOW)

    assert all(b"rahasia" not in path.read_bytes() for path in tmp_path.iterdir())
    _, _, sealed = spool.next(SERVICE, NOW) or ("", "", b"")
    assert opened(sealed)["words"] == {"words": "rahasia warga"}


def test_a_repeated_request_is_kept_once_and_has_the_same_receipt(spool: Spool) -> None:
    mine = key()

    assert spool.take(SERVICE, mine, "a", NOW) == spool.take(SERVICE, mine, "a", NOW)
    assert spool.state(NOW)["places"][0]["waiting"] == 1


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are short."""
    monkeypatch.setattr(intake, "LEAST_WAIT", 0.001)


@pytest.mark.usefixtures("hasty")
def test_they_go_in_order_and_each_is_sent_until_it_is_there(spool: Spool) -> None:
    for words in "abc":
        spool.take(SERVICE, key(), words, NOW)

    assert sent_by(spool, ["stored", "away", "away", "stored", "stored"]) == ["a", "b", "b", "b", "c"]
    assert spool.next(SERVICE, NOW) is None


@pytest.mark.usefixtures("hasty")
def test_one_that_its_tenant_refuses_is_set_aside_kept_and_holds_up_no_other(spool: Spool, capsys) -> None:
    for words in "abc":
        spool.take(SERVICE, key(), words, NOW)

    assert sent_by(spool, ["refused", "stored", "stored"]) == ["a", "b", "c"]
    assert "set aside" in capsys.readouterr().err
    assert spool.state(NOW)["places"][0] | {"title": 0} == {"service": SERVICE, "title": 0, "closed": "", "waiting": 1}
    assert spool.why_not(SERVICE, NOW + 30 * 86400) == "", "one that is set aside closes no door"
    later = spool.next(SERVICE, time.time() + 2 * intake.ASIDE)
    assert later is not None and opened(later[2])["words"] == "a", "it is tried again"


@pytest.mark.usefixtures("hasty")
def test_a_disk_that_is_full_while_it_sends_stops_nothing(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    spool.take(SERVICE, key(), "a", NOW)
    real, full = spool.delivered, [True]

    def delivered(name: str, now: float) -> None:
        if full.pop() if full else False:
            raise sqlite3.OperationalError("database or disk is full")
        real(name, now)

    monkeypatch.setattr(spool, "delivered", delivered)

    assert sent_by(spool, ["stored", "stored"]) == ["a", "a"]
    assert "full" in capsys.readouterr().err
    assert spool.next(SERVICE, NOW) is None


def test_what_is_delivered_is_forgotten_but_that_it_was(spool: Spool) -> None:
    mine = key()
    receipt = spool.take(SERVICE, mine, "rahasia", NOW)
    name, _, _ = spool.next(SERVICE, NOW) or ("", "", b"")
    spool.delivered(name, NOW)

    assert spool.base.execute("SELECT sealed, delivered FROM intakes").fetchall() == [(None, NOW)]
    assert spool.take(SERVICE, mine, "rahasia", NOW) == receipt, "it is not taken in anew"
    assert spool.next(SERVICE, NOW) is None


def test_two_malls_that_are_given_the_same_key_send_by_names_of_their_own(tmp_path: Path) -> None:
    malls = [Spool(SETTINGS, tmp_path / name, reverse) for name in ("a", "b")]
    receipts = {mall.take(SERVICE, "k" * 16, "x", NOW)["receipt"] for mall in malls}

    assert len(receipts) == 2
    assert len({(mall.next(SERVICE, NOW) or ("",))[0] for mall in malls}) == 2


@pytest.mark.parametrize(
    ("status", "told", "said"),
    [
        (201, {"key": "n", "sha256": "d"}, "stored"),
        (201, {"key": "n", "sha256": "another"}, "refused"),
        (201, {}, "refused"),
        (409, {}, "refused"),
        (413, {}, "refused"),
        (404, {}, "away"),
        (503, {}, "away"),
    ],
)
def test_what_a_tenant_says_is_understood(
    status: int, told: dict, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Line:
        def __init__(self, *_: object, **__: object) -> None:
            self.status, self.sock = status, None

        def connect(self) -> None:
            self.sock = socket.socket()

        def request(self, *_: object) -> None:
            pass

        def getresponse(self) -> Line:
            return self

        def read(self, most: int) -> bytes:
            return json.dumps(told).encode()

        def close(self) -> None:
            if self.sock:
                self.sock.close()

    monkeypatch.setattr(intake.http.client, "HTTPSConnection", Line)
    way = intake.Way("https://x/", tmp_path, 1000)

    assert way.send("n", "d", b"") == said
    way.close()


def test_an_authority_is_trusted_for_names_below_its_file_s_name_only(tmp_path: Path) -> None:
    certificate = INVENTORIES.parent / "tests/golden/authority.crt"
    shutil.copy(certificate, tmp_path / "balai.internal.crt")
    shutil.copy(certificate, tmp_path / "mpp-badung.balai.internal.crt")

    for module in (intake, screen):
        below = module.trusting(tmp_path, "https://portal-layanan.balai.internal/")
        assert len(below.get_ca_certs()) == 1, "and no authority of the machine's own beside it"
        assert len(module.trusting(tmp_path, "https://evilbalai.internal/").get_ca_certs()) != 1


def test_what_is_full_takes_nothing_more_and_drops_nothing(spool: Spool) -> None:
    kept = []
    with pytest.raises(RefusedError, match="intake_full"):
        for _ in range(100):
            kept.append(key())
            spool.take(SERVICE, kept[-1], "x" * 30_000, NOW)

    first = spool.next(SERVICE, NOW)
    assert first is not None and opened(first[2])["words"] == "x" * 30_000
    assert spool.state(NOW)["places"][0] | {"title": 0} == {
        "service": SERVICE,
        "title": 0,
        "closed": "intake_full",
        "waiting": len(kept) - 1,
    }
    assert spool.take(SERVICE, kept[0], "x" * 30_000, NOW), "what is kept is still told"


def test_what_waits_longer_than_its_bound_closes_the_place_and_stays(spool: Spool) -> None:
    spool.take(SERVICE, key(), "a", NOW)

    with pytest.raises(RefusedError, match="intake_full"):
        spool.take(SERVICE, key(), "a", NOW + 22 * 86400)
    assert spool.take(SERVICE, key(), "a", 0.0), "a clock that was reset closes nothing"


@pytest.mark.parametrize(
    ("service", "mine", "words", "reason"),
    [
        ("pajak/web", "k" * 16, "a", "intake_wrong"),
        (SERVICE, "short", "a", "intake_wrong"),
        (SERVICE, "k" * 16, "x" * 70_000, "intake_large"),
    ],
)
def test_what_is_wrong_or_too_large_is_refused(spool: Spool, service: str, mine: str, words: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        spool.take(service, mine, words, NOW)


def test_without_a_key_of_the_tenant_nothing_is_taken_in(tmp_path: Path) -> None:
    spool = Spool({**SETTINGS, "places": [{**PLACE, "recipient": ""}]}, tmp_path / "q", reverse)

    with pytest.raises(RefusedError, match="intake_no_key"):
        spool.take(SERVICE, key(), "a", NOW)


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.sampled_from(["take", "repeat", "send", "fail", "restart"]), max_size=40))
def test_whatever_happens_each_is_stored_once_and_in_order(
    steps: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("spool") / "q"
    spool = Spool(SETTINGS, path, reverse)
    taken: list[str] = []
    stored: dict[str, bytes] = {}  # the tenant's, once for each key
    for step in steps:
        waiting = spool.next(SERVICE, NOW)
        if step == "restart":
            spool = Spool(SETTINGS, path, reverse)
        elif step == "take":
            taken.append(key())
            spool.take(SERVICE, taken[-1], len(taken), NOW)
        elif step == "repeat" and taken:
            spool.take(SERVICE, taken[-1], len(taken), NOW)
        elif waiting and step in ("send", "fail"):
            stored.setdefault(waiting[0], waiting[2])
            if step == "send":  # and when it fails, the tenant's answer was lost
                spool.delivered(waiting[0], NOW)
    while waiting := spool.next(SERVICE, NOW):
        stored.setdefault(waiting[0], waiting[2])
        spool.delivered(waiting[0], NOW)

    assert len(stored) == len(taken)
    assert [opened(sealed)["words"] for sealed in stored.values()] == list(range(1, len(taken) + 1))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 413),
        (b"x" * 70_000, 413),
        (b"no json", 400),
        (b"{}", 400),
        (b'{"service": "a/b", "key": "kkkkkkkkkkkkkkkk", "words": 1}', 400),
    ],
)
def test_a_wrong_request_is_refused_in_words(spool: Spool, body: bytes, code: int) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(spool))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with (
            pytest.raises(urllib.error.HTTPError) as caught,
            urllib.request.urlopen(
                urllib.request.Request(
                    f"http://127.0.0.1:{server.server_address[1]}/api/intake", body, {"X-Forwarded-For": "127.0.0.1"}
                )
            ),
        ):
            pass
        with caught.value as error:
            assert error.code == code
            assert json.loads(error.read())["reason"].startswith("intake_")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The inventories with an enrolment of their own."""
    monkeypatch.delenv("BALAI_ENROLMENT", raising=False)
    root = Path(shutil.copytree(INVENTORIES, tmp_path / "inventories", ignore=shutil.ignore_patterns("enrolment")))
    (root / "enrolment/recipients").mkdir(parents=True)
    return root


def test_a_tenant_s_enrolled_key_and_the_slowest_line_are_told(estate: Path) -> None:
    public = "age1" + "q" * 58
    (estate / "enrolment/recipients/portal-layanan.txt").write_text(f"{public}\n")
    told = intake_of(load_site(estate / "sites/mpp-banyuwangi.yml"))

    assert told["places"][0]["recipient"] == public
    assert told["places"][0]["kbit"] == 5000, "a quarter of 20 Mbit/s"


def test_without_it_the_place_is_there_and_closed(estate: Path) -> None:
    assert intake_of(load_site(estate / "sites/mpp-banyuwangi.yml"))["places"][0]["recipient"] == ""


def test_a_secret_key_or_nonsense_is_refused_and_not_repeated(estate: Path) -> None:
    (estate / "enrolment/recipients/portal-layanan.txt").write_text("AGE-SECRET-KEY-1QQQ\n")

    with pytest.raises(DataError, match="age-keygen -y") as caught:
        load_site(estate / "sites/mpp-banyuwangi.yml")
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("when_dark: store\n    # Bounds", "when_dark: refuse\n    # Bounds"),
        ("services: [portal-layanan/aduan]", "services: [portal-layanan/aduan, pajak/web]"),
    ],
)
def test_an_intake_of_a_flow_that_cannot_wait_is_refused(estate: Path, old: str, new: str) -> None:
    path = estate / "flows.yml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(DataError, match="an intake needs"):
        load_site(estate / "sites/mpp-banyuwangi.yml")


def test_only_kiosks_hand_in(spool: Spool) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(spool))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/api/intake"
    body = json.dumps({"service": SERVICE, "key": key(), "words": "a"}).encode()
    try:
        for source, code in (("127.0.0.9", 201), ("10.64.8.2", 403), ("", 400)):
            request = urllib.request.Request(url, body, {"X-Forwarded-For": source})
            try:
                with urllib.request.urlopen(request) as answer:
                    assert answer.status == code
            except urllib.error.HTTPError as error:
                with error:
                    assert error.code == code
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
