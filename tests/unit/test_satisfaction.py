"""The satisfaction survey: counted once, nobody's name, bounded; and what leaves the mall of it and of the queue."""

from __future__ import annotations

import datetime
import itertools
import json
import shutil
import threading
import urllib.error
import urllib.request
from http.server import ThreadingHTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from balai.errors import DataError
from balai.estate import load_estate
from balai.mall.screens import policies_of, profile_of, queue_of, screen_of
from balai.onsite import counts, satisfaction
from balai.onsite.intake import Spool
from balai.onsite.queue import Queue, handler
from balai.sites import INVENTORIES, load_site

VIEW = load_site(INVENTORIES / "sites/mpp-banyuwangi.yml")
SETTINGS = queue_of(VIEW)
ELEMENTS = [element["name"] for element in SETTINGS["satisfaction"]["elements"]]
WEDNESDAY = datetime.datetime(2026, 12, 2, 9, tzinfo=ZoneInfo("Asia/Jakarta")).timestamp()
DAY = 86400
KIOSK = SETTINGS["kiosks"][0].replace("0/24", "32")
COUNTER = SETTINGS["offices"]["dukcapil"]["networks"][0].replace("0/27", "2")
COUNT = itertools.count()


def key() -> str:
    return f"key-{next(COUNT):08}"


def all_of(step: int) -> dict[str, int]:
    return dict.fromkeys(ELEMENTS, step)


def kept(queue: Queue) -> list[tuple[str, str, str]]:
    return queue.base.execute("SELECT day, office, given FROM answers ORDER BY day").fetchall()


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(SETTINGS, tmp_path / "queue.sqlite")


def test_the_nine_elements_say_that_they_are_recalled_and_have_four_steps_in_both_languages() -> None:
    survey = yaml.safe_load((INVENTORIES / "satisfaction.yml").read_text())

    assert survey["verification"] == "recalled"
    assert len(ELEMENTS) == len(set(ELEMENTS)) == 9
    for element in SETTINGS["satisfaction"]["elements"]:
        assert {lang: len(steps) for lang, steps in element["answers"].items()} == {"id": 4, "en": 4}
        assert element["question"]["id"] != element["question"]["en"]


def test_what_a_citizen_answers_is_kept_with_its_day_and_office_and_nothing_else(queue: Queue) -> None:
    assert queue.satisfaction.keep("dukcapil", key(), all_of(4), WEDNESDAY)
    assert queue.satisfaction.keep("", key(), all_of(1), WEDNESDAY)

    assert {(day, office) for day, office, _ in kept(queue)} == {("2026-12-02", "dukcapil"), ("2026-12-02", "")}
    columns = [row[1] for row in queue.base.execute("PRAGMA table_info(answers)")]
    assert columns == ["key", "day", "office", "given"], "a time would tell whom a clerk had served"


def test_answers_that_are_sent_twice_count_once(queue: Queue) -> None:
    mine = key()

    assert [queue.satisfaction.keep("", mine, all_of(step), WEDNESDAY) for step in (4, 1)] == [True, True]
    assert [json.loads(words) for _, _, words in kept(queue)] == [all_of(4)]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        "4",
        None,
        dict(list(all_of(4).items())[:-1]),
        {**all_of(4), "more": 4},
        {**all_of(4), ELEMENTS[0]: 5},
        {**all_of(4), ELEMENTS[0]: 0},
        {**all_of(4), ELEMENTS[0]: True},
        {**all_of(4), ELEMENTS[0]: 2.0},
        {**all_of(4), ELEMENTS[0]: "4"},
    ],
    ids=str,
)
def test_what_is_no_answer_to_all_nine_is_not_kept(queue: Queue, wrong: object) -> None:
    with pytest.raises(ValueError):
        queue.satisfaction.keep("dukcapil", key(), wrong, WEDNESDAY)
    with pytest.raises(ValueError):
        queue.satisfaction.keep("nobody", key(), all_of(4), WEDNESDAY)

    assert kept(queue) == []


def test_a_day_takes_so_many_and_drops_none(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(type(queue.satisfaction).keep.__globals__, "MOST_A_DAY", 3)
    first = key()

    told = [queue.satisfaction.keep("", name, all_of(3), WEDNESDAY) for name in (first, key(), key(), key(), first)]

    assert told == [True, True, True, False, True], "one that was kept is still told so"
    assert queue.satisfaction.keep("", key(), all_of(3), WEDNESDAY + DAY)
    assert len(kept(queue)) == 4


def test_a_day_never_goes_back_for_either(queue: Queue) -> None:
    queue.satisfaction.keep("", key(), all_of(3), WEDNESDAY + DAY)
    queue.satisfaction.keep("", key(), all_of(3), 0.0)

    assert {day for day, _, _ in kept(queue)} == {"2026-12-03"}
    assert queue.day(WEDNESDAY) == datetime.date(2026, 12, 3), "numbers and answers have one calendar"
    assert queue.draw("dukcapil", key(), WEDNESDAY)["ticket"] == "A001"


def test_old_answers_are_gone_and_a_clock_that_was_ahead_costs_none(queue: Queue) -> None:
    for days in (0, 10 * 365, 1, 30, 60):
        queue.satisfaction.keep("", key(), all_of(3), WEDNESDAY + days * DAY)
    assert len(kept(queue)) == 5

    for days in range(90, 450, 30):
        queue.satisfaction.keep("", key(), all_of(3), WEDNESDAY + days * DAY)
    assert len(kept(queue)) == 15
    assert kept(queue)[0][0] == "2027-01-01", "what was answered 420 and 419 days before is gone"


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.sampled_from(["answer", "repeat", "restart"]), max_size=30))
def test_whatever_happens_each_citizen_counts_once(steps: list[str], tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("queue") / "q"
    queue, told = Queue(SETTINGS, path), []
    for step in steps:
        if step == "restart":  # what a killed program leaves is what is on disk
            queue = Queue(SETTINGS, path)
        elif step == "answer" or not told:
            told.append(key())
            queue.satisfaction.keep("", told[-1], all_of(3), WEDNESDAY)
        else:
            queue.satisfaction.keep("", told[0], all_of(1), WEDNESDAY)

    assert len(kept(queue)) == len(told)


@pytest.fixture
def address(queue: Queue):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(queue))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/api/satisfaction"
    server.shutdown()
    thread.join()
    server.server_close()


def ask(url: str, body: object, source: str = KIOSK) -> tuple[int, dict]:
    try:
        headers = {"X-Forwarded-For": source}
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_the_page_is_told_whom_and_what_it_asks(address: str) -> None:
    with urllib.request.urlopen(address) as answer:
        state = json.loads(answer.read())

    assert [office["name"] for office in state["offices"]] == ["dukcapil", "imigrasi"]
    assert [element["name"] for element in state["elements"]] == ELEMENTS
    assert set(state["texts"]["satisfaction_thanks"]) == {"id", "en"}
    assert "networks" not in json.dumps(state)


@pytest.mark.parametrize(
    ("body", "source", "code"),
    [
        ({"office": "", "key": "12345678", "answers": all_of(4)}, KIOSK, 201),
        ({"office": "", "key": "12345678", "answers": all_of(4)}, COUNTER, 403),
        ({"office": "", "key": "a b", "answers": all_of(4)}, KIOSK, 400),
        ({"office": "", "key": "12345678", "answers": {}}, KIOSK, 400),
        ({"office": "nobody", "key": "12345678", "answers": all_of(4)}, KIOSK, 400),
        ({"office": "", "key": "12345678"}, KIOSK, 400),
        ({"office": "", "key": "12345678", "answers": {"x": "y" * 5000}}, KIOSK, 413),
    ],
)
def test_kiosks_answer_and_nobody_else_and_nothing_wrong(
    address: str, queue: Queue, body: dict, source: str, code: int
) -> None:
    assert ask(address, body, source)[0] == code
    assert len(kept(queue)) == (code == 201)


def test_a_full_day_and_a_full_disk_are_told_apart_from_a_wrong_answer(
    address: str, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(type(queue.satisfaction).keep.__globals__, "MOST_A_DAY", 0)
    assert ask(address, {"office": "", "key": key(), "answers": all_of(4)})[0] == 507

    monkeypatch.undo()
    queue.base.execute("PRAGMA max_page_count = 1")  # the database may grow no more
    codes = {ask(address, {"office": "", "key": key(), "answers": all_of(4)})[0] for _ in range(200)}
    assert 503 in codes


def test_a_kiosk_whose_profile_is_the_survey_has_its_page_and_no_service(tmp_path: Path) -> None:
    estate = Path(shutil.copytree(INVENTORIES, tmp_path / "i", ignore=shutil.ignore_patterns("enrolment")))
    with (estate / "sites/mpp-banyuwangi.yml").open("a") as file:
        file.write("screens: {kiosk-2: survey}\n")
    view = load_site(estate / "sites/mpp-banyuwangi.yml")
    kiosk = next(machine for machine in view.machines if machine.name.endswith("kiosk-2"))

    assert profile_of(kiosk, view)[0] == "survey"
    assert screen_of(kiosk, view)["page"] == "https://server-1.mpp-banyuwangi.balai.internal/survei/"
    assert screen_of(kiosk, view)["places"] == []
    assert policies_of(kiosk, view)["URLAllowlist"][1:] == ["https://.server-1.mpp-banyuwangi.balai.internal:443"]


@pytest.mark.parametrize(
    ("file", "edit", "words"),
    [
        ("satisfaction.yml", ("- name: procedure", "- name: requirements"), "stand twice: requirements"),
        ("satisfaction.yml", ("answers: [Tidak cepat, ", "answers: ["), "at least 4"),
        ("satisfaction.yml", ("verification: recalled", "verification: certain"), "'recalled'"),
        ("facilities.yml", ("name: atm", "name: ramp"), "stand twice: ramp"),
    ],
)
def test_a_survey_or_list_that_cannot_be_is_refused_with_the_estate(
    tmp_path: Path, file: str, edit: tuple[str, str], words: str
) -> None:
    estate = Path(shutil.copytree(INVENTORIES, tmp_path / "i", ignore=shutil.ignore_patterns("enrolment")))
    text = (estate / file).read_text()
    assert edit[0] in text
    (estate / file).write_text(text.replace(*edit, 1))

    with pytest.raises(DataError, match=words):
        load_estate(estate)


class TestCounts:
    """What a mall's server prints for the reports."""

    @pytest.fixture
    def mall(self, tmp_path: Path, queue: Queue) -> Path:
        """Two days: on the first three wait 100, 200 and 1000 s and one is not called; on the second one is drawn."""
        for wait in (100, 200, 1000):
            queue.draw("dukcapil", key(), WEDNESDAY)
            queue.call(1, key(), COUNTER, WEDNESDAY + wait)
        queue.draw("dukcapil", key(), WEDNESDAY)
        queue.satisfaction.keep("dukcapil", key(), all_of(4), WEDNESDAY)
        queue.satisfaction.keep("", key(), {**all_of(4), "cost": 1}, WEDNESDAY)
        queue.draw("dukcapil", key(), WEDNESDAY + DAY)
        place = {"service": "portal-layanan/aduan", "recipient": "age1x", "days": 21, "mib": 1, "kib": 64}
        spool = Spool(
            {"site": "mpp-x", "places": [place], "texts": {}}, tmp_path / "intake.sqlite", lambda words, _: words
        )
        for n in range(3):
            spool.take("portal-layanan/aduan", f"key-{n:016}", {"words": "SECRET"}, WEDNESDAY)
        waiting = spool.next("portal-layanan/aduan", WEDNESDAY)
        assert waiting
        spool.delivered(waiting[0], WEDNESDAY + 5)
        return tmp_path

    def counted(self, mall: Path, period: str, intake: str = "intake.sqlite") -> dict:
        return counts.counts(SETTINGS, period, mall / "queue.sqlite", mall / intake, WEDNESDAY + 2 * DAY)

    def test_a_month_is_counted_by_day_and_office(self, mall: Path) -> None:
        found = self.counted(mall, "2026-12")

        rows = {(row["when"], row["office"]): row for row in found["rows"]}
        assert set(rows) == {(f"2026-12-0{day}", office) for day in (2, 3) for office in ("dukcapil", None)}
        first = rows["2026-12-02", "dukcapil"]
        assert (first["drawn"], first["called"]) == (4, 3)
        assert first["waiting"] == {"measured": 3, "median": 200, "p90": 1000}
        assert first["answers"] == {element: [0, 0, 0, 1] for element in ELEMENTS}
        assert rows["2026-12-03", "dukcapil"]["waiting"] is None, "nobody's wait is not 0"
        assert rows["2026-12-02", None]["answers"]["cost"] == [1, 0, 0, 1]
        assert found["complaints"] == [
            {"when": "2026-12-02", "service": "portal-layanan/aduan", "handed_in": 3, "sent": 1}
        ]
        assert (found["counted"], found["since"], found["site"]) == ("2026-12-04", "2026-12-02", "mpp-banyuwangi")

    def test_a_year_is_counted_by_month_and_its_totals_are_the_same(self, mall: Path) -> None:
        month, year = self.counted(mall, "2026-12"), self.counted(mall, "2026")

        assert {row["when"] for row in year["rows"]} == {"2026-12"}
        assert year["totals"] == month["totals"]
        assert [(t["office"], t["drawn"]) for t in year["totals"]] == [(None, 5), ("dukcapil", 5), ("imigrasi", 0)]

    def test_another_period_and_a_mall_without_intake_are_empty_and_not_wrong(self, mall: Path) -> None:
        found = self.counted(mall, "2027-01", "none.sqlite")

        assert (found["rows"], found["complaints"]) == ([], None)
        assert {total["drawn"] for total in found["totals"]} == {0}

    def test_a_call_before_its_number_was_the_clock(self, mall: Path, queue: Queue) -> None:
        queue.call(1, key(), COUNTER, WEDNESDAY - 3600)  # of the second day's number, or the last of the first

        total = next(t for t in self.counted(mall, "2026-12")["totals"] if t["office"] == "dukcapil")
        assert (total["called"], total["waiting"]["measured"]) == (4, 3)

    def test_nothing_of_a_person_leaves_and_nothing_is_changed(self, mall: Path, queue: Queue) -> None:
        before = list(queue.base.iterdump())

        words = json.dumps(self.counted(mall, "2026-12"))

        keys = [k for (k,) in queue.base.execute("SELECT key FROM tickets UNION SELECT key FROM answers")]
        assert keys
        assert [k for k in [*keys, "SECRET", "A00", "age1"] if k in words] == []
        assert list(queue.base.iterdump()) == before

    def test_the_program_says_what_it_needs(
        self, mall: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "queue.json").write_text(json.dumps(SETTINGS))
        for name, file in (("SETTINGS", "queue.json"), ("QUEUE", "queue.sqlite"), ("INTAKE", "intake.sqlite")):
            monkeypatch.setattr(counts, name, tmp_path / file)

        assert counts.main(["2026-12"]) == 0
        assert json.loads(capsys.readouterr().out)["period"] == "2026-12"
        assert [counts.main(argv) for argv in ([], ["2026-13"], ["2026-12-01"], ["%"])] == [2] * 4
        monkeypatch.setattr(counts, "QUEUE", tmp_path / "none.sqlite")
        assert counts.main(["2026-12"]) == 3
        assert "as root" in capsys.readouterr().err
        assert not (tmp_path / "none.sqlite").exists()

    def test_an_old_database_without_a_survey_is_opened_as_it_is(self, tmp_path: Path) -> None:
        queue = Queue(SETTINGS, tmp_path / "q")
        queue.draw("dukcapil", key(), WEDNESDAY)
        queue.base.execute("DROP TABLE answers")

        assert Queue(SETTINGS, tmp_path / "q").satisfaction.keep("", key(), all_of(2), WEDNESDAY)


def test_steps_are_one_number_everywhere() -> None:
    from balai.models import duty

    assert satisfaction.STEPS == counts.STEPS == duty.STEPS
    assert len(ELEMENTS) == duty.ELEMENTS
