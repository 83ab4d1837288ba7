"""Fourteen days without a way out: everything that a mall lives by, and that ends, ends later than that."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, StrictUndefined
from pydantic import ValidationError

from balai.mall.certificates import NOTICE, certificates_of
from balai.mall.intake import intake_of
from balai.mall.services import dhcp_of
from balai.models.flow import DARK_DAYS, Intake
from balai.onsite import calendar, intake, queue
from balai.sites import INVENTORIES, load_site

ROLES = INVENTORIES.parent / "roles"
VIEW = load_site(INVENTORIES / "sites/mpp-banyuwangi.yml")
DARK = DARK_DAYS * 86400


def defaults(role: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text())
    return found


def rendered(template: str, **variables: Any) -> str:
    made = Environment(undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)  # as Ansible's
    made.filters["comment"] = lambda text: f"# {text}"
    return made.from_string((ROLES / template).read_text()).render(ansible_managed="managed", **variables)


def test_a_mall_is_dark_for_fourteen_days_at_least() -> None:
    assert DARK_DAYS >= 14


def test_old_answers_of_the_resolver_are_given_for_as_long() -> None:
    told = {"listens": [], "serves": [], "records": [], "private": [], "national_servers": []}
    words = rendered("resolver/templates/unbound.conf.j2", resolver_national="x", resolver_zone="y",
                     **{f"resolver_{key}": value for key, value in told.items()}, **defaults("resolver"))  # fmt: skip

    assert "serve-expired: yes" in words
    (seconds,) = re.findall(r"serve-expired-ttl: (\d+)", words)
    assert int(seconds) >= DARK


def test_a_machine_of_the_plan_has_its_address_for_as_long_also_when_the_router_is_gone() -> None:
    fixed = [network["seconds"] for network in dhcp_of(VIEW) if not network["pool"]]

    assert fixed
    assert min(fixed) >= DARK


def test_the_calendar_believes_its_clock_for_as_long_from_the_last_time_that_a_server_was_asked() -> None:
    assert calendar.TRUST_DAYS * 86400 - calendar.ASK_CLOCK_EVERY - calendar.STEP >= DARK


def test_the_router_tells_the_time_without_a_server_and_without_an_end() -> None:
    words = rendered("time_sync/templates/chrony.conf.j2", time_sync_servers=[], time_sync_min_sources=1,
                     time_sync_serves=["10.64.0.0/16"])  # fmt: skip

    assert "\nlocal stratum 10 orphan\n" in words


def test_what_citizens_hand_in_on_the_first_day_closes_nothing_before_the_last() -> None:
    bounds = [place["days"] for place in intake_of(VIEW)["places"]]

    assert bounds
    assert min(bounds) > DARK_DAYS, "the first would close it on the last day"


def test_an_intake_that_would_close_sooner_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 15"):
        Intake(title="Satu", title_en="One", days=DARK_DAYS, mib=1, kib=1)


def test_what_is_kept_for_a_time_is_kept_for_longer() -> None:
    assert min(queue.KEPT_DAYS, queue.LONGEST_PAUSE, intake.KEPT_DAYS) >= DARK_DAYS
    assert defaults("baseline")["baseline_journal_days"] >= DARK_DAYS
    words = rendered("log_receive/templates/bound.service.j2", log_receive_mib=512,
                     **{"__log_receive_open": 128, "__log_receive_place": "/p"})  # fmt: skip
    assert "--vacuum-size=" in words
    assert "--vacuum-time" not in words, "journals received have a bound, and no end"


@pytest.mark.parametrize(
    "template",
    sorted(str(path.relative_to(ROLES)) for path in ROLES.glob("*/templates/*") if "tls {" in path.read_text()),
)
def test_each_certificate_of_the_server_is_made_anew_by_the_server_itself(template: str) -> None:
    """Caddy's own last for 12 hours, and their intermediate for 7 days: nobody outside may be needed for the next one."""
    blocks = re.findall(r"^\ttls \{\n(.*?)^\t\}$", (ROLES / template).read_text(), re.MULTILINE | re.DOTALL)

    assert blocks
    assert all("\t\tissuer internal\n" in block for block in blocks)
    assert not any("acme" in block for block in blocks)


class TestLogs:
    """The certificates for logs are signed by a run of the playbook, and by nothing in the dark."""

    SIGNED_ANEW = {"log_receive": "authority.crt", "log_upload": "upload.crt"}

    @pytest.fixture
    def made(self, tmp_path: Path) -> dict[str, Path]:
        script = tmp_path / "authority"
        words = rendered("log_receive/templates/log-authority.sh.j2", log_receive_site="mpp-x",
                         **{"__log_receive_home": str(tmp_path)})  # fmt: skip
        script.write_text(words.replace("/etc/ssl/private", str(tmp_path / "private")))
        key = tmp_path / "own.key"
        subprocess.run(["sh", script, "make"], check=True, capture_output=True)
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key],
                       check=True, capture_output=True)  # fmt: skip
        request = subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=x"],
                                 check=True, capture_output=True).stdout  # fmt: skip
        signed = subprocess.run(["sh", script, "sign", "x"], input=request, check=True, capture_output=True).stdout
        (tmp_path / "upload.crt").write_bytes(signed)
        return {role: tmp_path / file for role, file in self.SIGNED_ANEW.items()}

    @pytest.mark.parametrize("role", SIGNED_ANEW)
    def test_each_is_signed_anew_so_early_that_it_is_named_first_and_then_outlives_the_dark(
        self, role: str, made: dict[str, Path]
    ) -> None:
        (early,) = set(re.findall(r"-checkend (\d+)", (ROLES / role / "tasks/configure.yml").read_text()))

        # After any run it has so long at least; status names it when less than its notice is left.
        assert int(early) >= (NOTICE + DARK_DAYS) * 86400
        subprocess.run(["openssl", "x509", "-checkend", early, "-noout", "-in", made[role]], check=True)

    def test_a_run_s_certificate_is_trusted_on_the_last_dark_day(self, made: dict[str, Path]) -> None:
        then = subprocess.run(["date", "+%s", "-d", f"now + {NOTICE + DARK_DAYS} days"], capture_output=True, text=True)
        argv = [
            "openssl",
            "verify",
            "-attime",
            then.stdout.strip(),
            "-trusted",
            made["log_receive"],
            made["log_upload"],
        ]

        assert subprocess.run(argv, capture_output=True, check=False).returncode == 0


def test_a_certificate_is_named_before_its_end_would_fall_into_the_dark() -> None:
    notices = {entry["days"] for machine in VIEW.machines for entry in certificates_of(machine, VIEW)}

    assert notices == {0, NOTICE}, "0 is for what is made anew every few hours, and for what others answer for"
    assert NOTICE > DARK_DAYS
