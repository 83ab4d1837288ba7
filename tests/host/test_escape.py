"""
The escape suite: what somebody at a kiosk could try, on the kiosk's own Chromium and under the policies that lie there.

Production policies shut the way by which a test looks in, and that is the first thing tested; the others run with that way open
and all else the same. Each attempt must be refused with the policies in force, and succeed when the one that stops it is taken away:
a suite that stays green then would prove nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import websocket

from lab import machines
from tests.host.browser import Browser

pytestmark = pytest.mark.lab

KIOSK = {host.short: host for host in machines.hosts()}["kiosk-1"]
SHELL, PORTAL = "http://127.0.0.1:8080/", "https://portal-layanan.balai.internal/"
PLACE = "/etc/chromium/policies/managed/balai.json"
BLOCKED = ("net::ERR_BLOCKED_BY_ADMINISTRATOR", "net::ERR_ABORTED")  # a page that is only a command is aborted
LOOKING_IN = {"DeveloperToolsAvailability": 1, "RemoteDebuggingAllowed": True}
ADDRESSES = {
    "a service that no flow lets a kiosk begin with": "https://kependudukan.balai.internal/",
    "another port of an allowed name": "https://portal-layanan.balai.internal:8443/",
    "an allowed name without TLS": "http://portal-layanan.balai.internal/",
    "a name below an allowed one": "https://x.portal-layanan.balai.internal/",
    "the web": "https://example.org/",
    "a file": "file:///etc/passwd",
    "a folder": "file:///",
    "the source of a page": f"view-source:{SHELL}",
    "settings": "chrome://settings",
    "policies": "chrome://policy",
    "flags": "chrome://flags",
    "downloads": "chrome://downloads",
    "what ends the browser": "chrome://quit",
    "developer tools": "devtools://devtools/bundled/inspector.html",
    "data": "data:text/html,<h1>x</h1>",
    "FTP": "ftp://portal-layanan.balai.internal/",
    "mail": "mailto:a@b.example",
    "a telephone": "tel:123",
    "another application": "intent://x",
}


@pytest.fixture(scope="module")
def lying() -> dict[str, Any]:
    """The policies that lie on the kiosk."""
    policies: dict[str, Any] = json.loads(machines.inside(KIOSK, "cat", PLACE).stdout)
    return policies


@pytest.fixture(scope="module")
def base(lying: dict[str, Any]) -> dict[str, Any]:
    """The same, with the way open by which a test looks in."""
    return {**lying, **LOOKING_IN}


def without(policies: dict[str, Any], names: str) -> dict[str, Any]:
    return {key: value for key, value in policies.items() if key not in names.split()}


def in_force(browser: Browser) -> dict[str, Any]:
    """What Chromium itself says of its policies."""
    browser.open("chrome://policy")
    told = browser.run(
        """new Promise(async (done) => {
          const { addWebUiListener } = await import("chrome://resources/js/cr.js");
          addWebUiListener("policies-updated", (names, values) => done(JSON.stringify(values)));
          chrome.send("listenPoliciesUpdates");
        })"""
    )
    found: dict[str, Any] = json.loads(told)["policyGroups"]["chrome"]["policies"]
    return found


def permission(name: str) -> Callable[[Browser], bool]:
    def held(browser: Browser) -> bool:
        browser.open(PORTAL)
        return browser.run(f"navigator.permissions.query({{name: '{name}'}}).then((p) => p.state)") == "denied"

    return held


def opens(browser: Browser) -> bool:
    return browser.open(PORTAL) == "" and "Portal" in str(browser.run("document.title"))


def refuses(browser: Browser) -> bool:
    # Those that answer at once when nothing holds them.
    here = ("a file", "the source of a page", "settings", "data")
    return all(browser.open(ADDRESSES[what]) in BLOCKED for what in here)


def downloads_nothing(browser: Browser) -> bool:
    browser.open(PORTAL)
    browser.ask("Browser.setDownloadBehavior", behavior="default")
    browser.run("Object.assign(document.createElement('a'), {href: location.href, download: 'x.html'}).click()")
    time.sleep(1)
    found = machines.inside(KIOSK, "find", "/run/balai-escape", "-name", "x.html*").stdout
    return found == ""


def asks_no_device_for_a_file(browser: Browser) -> bool:
    browser.open(PORTAL)
    said = browser.run(
        "Promise.race([showOpenFilePicker().catch((e) => e.name), new Promise((r) => setTimeout(r, 1500, 'asked'))])"
    )
    return said == "NotAllowedError"


def shows_its_screen_to_nobody(browser: Browser) -> bool:
    browser.open(PORTAL)
    said = browser.run(
        "Promise.race([navigator.mediaDevices.getDisplayMedia().catch((e) => e.message), new Promise((r) => setTimeout(r, 1500, 'asked'))])"
    )
    return said == "Permission denied"


def goes_through_no_proxy(browser: Browser) -> bool:
    return opens(browser)


def has_no_extension(browser: Browser) -> bool:
    time.sleep(1)
    return not any(t["url"].startswith("chrome-extension://") for t in browser.targets())


EXTENSION = {
    "manifest.json": '{"manifest_version": 3, "name": "x", "version": "1", "background": {"service_worker": "x.js"}}',
    "x.js": "chrome.runtime.onInstalled.addListener(() => 0);",
}
# By policy: how it is tried, and more words of the command line.
ATTEMPTS: dict[str, tuple[Callable[[Browser], bool], tuple[str, ...]]] = {
    "URLBlocklist": (refuses, ()),
    "URLAllowlist": (opens, ()),
    "CACertificatesWithConstraints": (opens, ()),
    "DownloadRestrictions": (downloads_nothing, ()),
    "ProxySettings": (goes_through_no_proxy, ("--proxy-server=http://127.0.0.1:9",)),
    "ExtensionInstallBlocklist": (has_no_extension, ("--load-extension=/run/balai-extension",)),
    "ScreenCaptureAllowed": (shows_its_screen_to_nobody, ()),
    "DefaultFileSystemReadGuardSetting": (asks_no_device_for_a_file, ()),
    "DefaultClipboardSetting": (permission("clipboard-read"), ()),
    "DefaultGeolocationSetting": (permission("geolocation"), ()),
    "DefaultIdleDetectionSetting": (permission("idle-detection"), ()),
    "DefaultLocalFontsSetting": (permission("local-fonts"), ()),
    "DefaultNotificationsSetting": (permission("notifications"), ()),
    "DefaultSensorsSetting": (permission("accelerometer"), ()),
    "DefaultWindowManagementSetting": (permission("window-management"), ()),
    "AudioCaptureAllowed": (permission("microphone"), ()),
    "VideoCaptureAllowed": (permission("camera"), ()),
}


@pytest.fixture(scope="module", autouse=True)
def extension():
    script = "mkdir -p /run/balai-extension && cat > /run/balai-extension/{}"
    for name, text in EXTENSION.items():
        machines.inside(KIOSK, "sh", "-c", script.format(name), stdin=text)
    yield
    machines.inside(KIOSK, "rm", "-rf", "/run/balai-extension")


def test_nobody_looks_in_with_the_policies_that_lie_there(lying: dict[str, Any]) -> None:
    with pytest.raises((AssertionError, OSError)), Browser(KIOSK, lying, patience=6):
        pass
    with (
        pytest.raises(websocket.WebSocketBadStatusException, match="403"),
        Browser(KIOSK, without(lying, "RemoteDebuggingAllowed")),
    ):
        pass


@pytest.mark.parametrize("what", ADDRESSES)
def test_an_address_that_is_not_allowed_is_refused(what: str, open_browser: Browser) -> None:
    said = open_browser.open(ADDRESSES[what])
    open_browser.keep(what)
    assert said in BLOCKED


@pytest.fixture(scope="module")
def open_browser(base: dict[str, Any]):
    with Browser(KIOSK, base) as browser:
        yield browser


@pytest.mark.parametrize("policy", ATTEMPTS)
def test_an_attempt_fails_and_succeeds_when_its_policy_is_taken_away(policy: str, base: dict[str, Any]) -> None:
    held, words = ATTEMPTS[policy]

    with Browser(KIOSK, base, *words) as browser:
        verdict = held(browser)
        browser.keep(policy)
        assert verdict
    with Browser(KIOSK, without(base, policy), *words) as browser:
        assert not held(browser)


def test_every_policy_has_a_name_and_a_type_that_this_chromium_knows_and_is_in_force(base: dict[str, Any]) -> None:
    # The page on which it says so is blocked by one of them.
    with Browser(KIOSK, {**base, "URLBlocklist": ["about:*"]}) as browser:
        found = in_force(browser)

    assert {name: policy["error"] for name, policy in found.items() if "error" in policy} == {}
    assert {name: policy["value"] for name, policy in found.items()} == {**base, "URLBlocklist": ["about:*"]}
    assert {(policy["level"], policy["scope"]) for policy in found.values()} == {("mandatory", "machine")}


def test_a_name_or_type_that_it_does_not_know_and_a_policy_that_is_gone_would_be_noticed(base: dict[str, Any]) -> None:
    wrong = {**without(base, "TranslateEnabled"), "URLBlocklist": ["about:*"], "QuicAllowed": "no", "KioskModeOn": True}
    with Browser(KIOSK, wrong) as browser:
        found = in_force(browser)

    assert {name for name, policy in found.items() if "error" in policy} == {"QuicAllowed", "KioskModeOn"}
    assert set(base) - set(found) == {"TranslateEnabled"}


def test_a_wrong_certificate_cannot_be_clicked_away(base: dict[str, Any]) -> None:
    def can_go_on(policies: dict[str, Any]) -> object:
        with Browser(KIOSK, without(policies, "CACertificatesWithConstraints")) as browser:
            assert browser.open(PORTAL) == "net::ERR_CERT_AUTHORITY_INVALID"
            return browser.run("loadTimeData.getBoolean('overridable')")

    assert can_go_on(base) is False
    assert can_go_on(without(base, "SSLErrorOverrideAllowed")) is True


def test_an_authority_is_trusted_for_its_own_names_only(base: dict[str, Any]) -> None:
    other = json.loads(json.dumps(base))
    for authority in other["CACertificatesWithConstraints"]:
        authority["constraints"]["permitted_dns_names"] = ["mpp-badung.balai.internal"]

    with Browser(KIOSK, other) as browser:
        assert browser.open(PORTAL).startswith("net::ERR_CERT")
