"""
The auditors' suite: one test for each result of the live audit.

    pytest tests/compliance --site mpp-banyuwangi --cluster cikarang

What could not be judged fails as well, unless the machine or its kind is named with --dark; the few
checks that need a kernel or USB sockets of their own, a package source or a look behind the API are skipped with
their reason.
"""

from __future__ import annotations

import pytest

from balai.audit import Audit, Result, Status, audit
from balai.estate import load_estate
from balai.sites import INVENTORIES, load_site

pytestmark = [pytest.mark.compliance]
LEAST_CONTROLS = 85
# What an embedded lab cannot show; anything else without evidence fails.
NOT_HERE = (
    "host_kernel_settings",
    "host_kernel_closed",
    "host_audit_running",
    "host_audit_loaded",
    "host_apparmor",
    "host_swap_protected",
    "host_updates_installed",
    "screen_usb_declared",
    "cluster_network_policy_enforced",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Audit once, while the tests are collected, and make a test of each result."""
    if "found" not in metafunc.fixturenames:
        return
    site, cluster = metafunc.config.getoption("--site"), metafunc.config.getoption("--cluster")
    view = load_site(INVENTORIES / "sites" / f"{site}.yml") if site else None
    found = audit(load_estate(), view, cluster)
    metafunc.config.stash[KEY] = found
    metafunc.parametrize("found", found.results, ids=lambda r: f"{r.target}-{r.check}".replace(" ", "_"))


KEY = pytest.StashKey[Audit]()


def test_it_is_as_the_baseline_asks(found: Result, pytestconfig: pytest.Config) -> None:
    dark = [f"-{word}-" for word in pytestconfig.getoption("--dark")]
    if found.status is Status.DNF and any(word in f"{found.target}-" for word in dark):
        pytest.skip(f"{found.target} is declared dark: {found.detail['en']}")
    if (
        found.status in (Status.DNF, Status.MISS)
        and found.check in NOT_HERE
        and "the check failed" not in found.detail["en"]
    ):
        pytest.skip(f"{found.check} on {found.target}: {found.detail['en']}")

    if found.status is Status.EXCEPTED:
        pytest.skip(f"{found.check} on {found.target}: {found.detail['en']}")

    assert found.status is Status.PASS, f"{found.title['en']}: {found.detail['en']}; seen: {found.evidence}"


def test_enough_of_the_catalogue_was_judged(pytestconfig: pytest.Config) -> None:
    if not (pytestconfig.getoption("--site") and pytestconfig.getoption("--cluster")):
        pytest.skip("the count is about a site and a cluster together: give both --site and --cluster")

    assert len(pytestconfig.stash[KEY].covered) >= LEAST_CONTROLS
