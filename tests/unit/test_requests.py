"""A quota is changed by a request that somebody else decides, and a tenant's file keeps what each of them said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from balai.cli import tenant as cli
from balai.errors import BalaiError, DataError
from balai.estate import load_estate
from balai.models.lifecycle import Amounts
from balai.models.tenant import Quota
from balai.sites import INVENTORIES

FIRST = """requests:
- by: djp
  date: "2026-11-01"
  original: {cpu: "4"}
  requested: {cpu: "6"}
  reason: months before the season
  used: unknown
  decided: {by: komdigi, date: "2026-11-02", values: {cpu: "4"}, reason: nobody had measured}
"""


@pytest.fixture
def inventories(tmp_path: Path) -> Path:
    return Path(shutil.copytree(INVENTORIES, tmp_path / "inventories"))


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def tenant(inventories: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Run `balai tenant` on the copy, in this process."""
    monkeypatch.setenv("BALAI_LANG", "en")
    monkeypatch.setattr(cli, "INVENTORIES", inventories)

    def run(*argv: str) -> Said:
        done = CliRunner().invoke(cli.tenant, argv)
        if done.exception and not isinstance(done.exception, BalaiError | SystemExit):
            raise done.exception
        said = str(done.exception) if isinstance(done.exception, BalaiError) else done.stderr
        return Said(2 if done.exception else 0, done.stdout, said)

    return run


def problems(inventories: Path) -> str:
    try:
        load_estate(inventories)
    except DataError as error:
        return str(error)
    return ""


def lines(inventories: Path) -> list[str]:
    return (inventories / "tenants/pajak.yml").read_text().splitlines()


def test_what_can_be_asked_for_is_what_a_quota_has() -> None:
    assert set(Amounts.model_fields) == set(Quota.model_fields)


def test_a_request_keeps_what_was_what_was_asked_what_was_given_and_what_it_was_judged_by(
    tenant, inventories: Path
) -> None:
    before = lines(inventories)
    peak = ("3200m", "3Gi", "2026-11-20", "balai audit")

    asked = tenant("request", "pajak", "--cpu", "8", "--memory", "16Gi", "--reason", "SPT season", "--peak", *peak)
    between = lines(inventories)
    decided = tenant("decide", "pajak", "--cpu", "6", "--memory", "16Gi", "--by", "komdigi", "--reason", "half of it")

    assert (asked.returncode, decided.returncode) == (0, 0), asked.stderr + decided.stderr
    assert between[: len(before)] == before, "the quota stays until it is decided"
    after = lines(inventories)
    assert [line for line in before if line not in after] == [
        'quota: {cpu: "4", memory: 4Gi, pods: 20, storage: 100Gi}'
    ]
    found = load_estate(inventories).tenants["pajak"]
    (request,) = found.model_dump()["requests"]
    assert found.quota == Quota(cpu="6", memory="16Gi", pods=20, storage="100Gi")
    assert (request["by"], request["reason"]) == ("djp", "SPT season")
    assert [request[key]["cpu"] for key in ("original", "requested", "used")] == ["4", "8", "3200m"]
    assert request["decided"]["values"] == {"cpu": "6", "memory": "16Gi", "pods": None, "storage": None}
    shown = tenant("show", "pajak").stdout
    assert "asked for cpu 8, memory 16Gi (before: cpu 4, memory 4Gi): SPT season" in shown
    assert "judged by a peak of cpu 3200m, memory 3Gi on 2026-11-20 (balai audit)" in shown
    assert "komdigi gave cpu 6, memory 16Gi: half of it" in shown


def test_a_request_that_is_refused_leaves_the_quota_and_is_kept(tenant, inventories: Path) -> None:
    tenant("request", "pajak", "--pods", "900", "--reason", "many pods")

    done = tenant("decide", "pajak", "--refuse", "--by", "komdigi", "--reason", "nobody measured it")

    found = load_estate(inventories).tenants["pajak"]
    assert done.returncode == 0, done.stderr
    assert found.quota.pods == 20
    assert found.model_dump()["requests"][0]["decided"]["values"]["pods"] == 20


def test_lines_that_people_wrote_stay_as_they_are(tenant, inventories: Path) -> None:
    path = inventories / "tenants/pajak.yml"
    block = 'quota:   # by the ministry\n  cpu: "4"     # cores\n  memory: 4Gi\n  pods: 20\n  storage: 100Gi\n'
    text = path.read_text().replace('quota: {cpu: "4", memory: 4Gi, pods: 20, storage: 100Gi}\n', block)
    path.write_text(text.replace("reaches:\n", f"{FIRST}# who it needs\nreaches:\n"))

    asked = tenant("request", "pajak", "--cpu", "8", "--reason", 'SPT: "season" # 2027')
    decided = tenant("decide", "pajak", "--by", "komdigi", "--reason", "as measured")

    text = path.read_text()
    assert (asked.returncode, decided.returncode) == (0, 0), asked.stderr + decided.stderr
    assert '  cpu: "8"     # cores\n  memory: 4Gi\n  pods: 20\n  storage: 100Gi\n' in text
    assert text.count("\n- by: ") == 2
    assert '  reason: "SPT: \\"season\\" # 2027"\n' in text
    assert "\n# who it needs\nreaches:\n" in text
    assert len(yaml.safe_load(text)["requests"]) == 2


@pytest.mark.parametrize(
    ("before", "argv", "words"),
    [
        ((), ("decide", "pajak", "--by", "komdigi", "--reason", "why not"), "No request of pajak waits"),
        ((), ("request", "pajak", "--cpu", "4", "--reason", "why not"), "pajak has {cpu: \"4\"} already"),
        ((), ("request", "pajk", "--cpu", "8", "--reason", "why not"), "There is no tenant pajk"),
        ((), ("request", "pajak", "--cpu", "8 cores", "--reason", "why not"), "cpu: should match"),
        ((), ("request", "pajak", "--reason", "why not"), "name one of --cpu"),
        ((), ("request", "pajak", "--cpu", "8Gi", "--reason", "why not"), "units of its own"),
        ((), ("request", "pajak", "--storage", "500m", "--reason", "why not"), "units of its own"),
        (("--storage", "20Gi"), ("decide", "pajak", "--by", "k-1", "--reason", "why"), "keep 20480 MiB more"),
        (("--cpu", "8"), ("request", "pajak", "--cpu", "9", "--reason", "why not"), "Decide it first"),
        (("--cpu", "8"), ("decide", "pajak", "--by", "djp", "--reason", "we need it"), "somebody else should decide"),
        (("--cpu", "8"), ("decide", "pajak", "--by", "k-1", "--pods", "9", "--reason", "why"), "the same parts"),
        (("--cpu", "9000"), ("decide", "pajak", "--by", "k-1", "--reason", "why"), "the whole of cluster cikarang has"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_or_decided_is_refused_in_words_and_writes_nothing(
    before: tuple[str, ...], argv: tuple[str, ...], words: str, tenant, inventories: Path
) -> None:
    if before:
        assert tenant("request", "pajak", *before, "--reason", "why not").returncode == 0
    text = lines(inventories)

    done = tenant(*argv)

    assert done.returncode == 2
    assert words in done.stderr
    assert lines(inventories) == text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('quota: {cpu: "4"', 'quota: {cpu: "5"', "quota.cpu: what was decided last is 4"),
        ("original: {cpu: \"4\"}", "original: none", ""),
        ("decided: {by: komdigi", "decided: {by: djp", "somebody else should decide"),
        ('date: "2026-11-02"', 'date: "2026-10-02"', "before it was asked"),
        ("used: unknown", 'used: {cpu: "1", memory: 1Gi, date: "2026-11-09", source: x-y}', "should not be after"),
        ("used: unknown", "used: unknwon", "used: should be 'unknown'"),
        ("requests:\n", f"{FIRST.replace('komdigi', 'kominfo').replace('2026-11', '2026-12')}", "the request above it is of"),
        ("values: {cpu: \"4\"}", "values: {}", "should say at least one of"),
    ],
)  # fmt: skip
def test_a_quota_that_nobody_decided_is_refused_where_it_stands(
    old: str, new: str, said: str, inventories: Path
) -> None:
    path = inventories / "tenants/pajak.yml"
    text = path.read_text() + FIRST
    assert old in text
    path.write_text(text.replace(old, new, 1))

    found = problems(inventories)

    assert (bool(found), said in found) == (bool(said), True), found


def test_a_first_quota_is_decided_before_a_tenant_is_active(inventories: Path) -> None:
    path = inventories / "tenants/pajak.yml"
    first = FIRST.replace('original: {cpu: "4"}', "original: none")
    path.write_text(path.read_text() + first[: first.index("  decided:")] + "  decided: open\n")

    active = problems(inventories)
    path.write_text(path.read_text().replace("status: active", "status: requested"))

    assert "status: its first quota is not decided" in active
    assert problems(inventories) == ""
