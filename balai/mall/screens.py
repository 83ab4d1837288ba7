"""
Kiosks and displays: what each shows, and the managed policies that hold its Chromium to it.

Policies: https://chromeenterprise.google/policies/ (names and types are checked against the Chromium that a kiosk has).
"""

from __future__ import annotations

from typing import Any

from balai.flows.compiled import networks_of
from balai.flows.services import host_of
from balai.mall.links import links_of
from balai.mall.services import calendar_of, zone_of
from balai.models.screen import Printer, Profile
from balai.onsite.calendar import is_date
from balai.onsite.hours import openings
from balai.sites import Machine, SiteView
from balai.text import catalogue

Json = dict[str, Any]
SHELL = "http://127.0.0.1:8080"  # the page that a kiosk begins with; `balai.onsite.screen` serves it
CALLED_BY = {"kiosk": "kiosks", "display": "displays"}
_ASKS_NOBODY = 2  # the value by which a default setting of a site's permission says no without asking

# Everything; what belongs to the browser itself is not in it unless it is named.
BLOCKED = ["*", "about:*", "blob:*", "chrome://*", "chrome-untrusted://*", "filesystem:*"]
# What no citizen needs at any kiosk. Where a setting could only be reached through a page that is blocked anyway,
# it is here all the same: each is a lock of its own.
FIXED: Json = {
    "AIModeSettings": 1,
    "AllowDinosaurEasterEgg": False,
    "AllowFileSelectionDialogs": False,
    "AudioCaptureAllowed": False,
    "AutofillAddressEnabled": False,
    "AutofillCreditCardEnabled": False,
    "BackgroundModeEnabled": False,
    "BlockExternalExtensions": True,
    "BrowserAddPersonEnabled": False,
    "BrowserGuestModeEnabled": False,
    "BrowserSignin": 0,
    "BuiltInDnsClientEnabled": False,
    "ComponentUpdatesEnabled": False,
    "DefaultClipboardSetting": _ASKS_NOBODY,
    "DefaultFileSystemReadGuardSetting": _ASKS_NOBODY,
    "DefaultFileSystemWriteGuardSetting": _ASKS_NOBODY,
    "DefaultGeolocationSetting": _ASKS_NOBODY,
    "DefaultIdleDetectionSetting": _ASKS_NOBODY,
    "DefaultLocalFontsSetting": _ASKS_NOBODY,
    "DefaultNotificationsSetting": _ASKS_NOBODY,
    "DefaultPopupsSetting": _ASKS_NOBODY,
    "DefaultSearchProviderEnabled": False,
    "DefaultSensorsSetting": _ASKS_NOBODY,
    "DefaultSerialGuardSetting": _ASKS_NOBODY,
    "DefaultWebBluetoothGuardSetting": _ASKS_NOBODY,
    "DefaultWebHidGuardSetting": _ASKS_NOBODY,
    "DefaultWebUsbGuardSetting": _ASKS_NOBODY,
    "DefaultWindowManagementSetting": _ASKS_NOBODY,
    "DeveloperToolsAvailability": 2,
    "DnsOverHttpsMode": "off",
    "DownloadRestrictions": 3,
    "EditBookmarksEnabled": False,
    "EnableMediaRouter": False,
    "ExtensionInstallBlocklist": ["*"],
    "GeminiSettings": 1,
    "HomepageIsNewTabPage": False,
    "HomepageLocation": f"{SHELL}/",
    "ImportAutofillFormData": False,
    "IncognitoModeAvailability": 1,
    "LensOverlaySettings": 1,
    "LensRegionSearchEnabled": False,
    "MetricsReportingEnabled": False,
    "NetworkPredictionOptions": 2,
    "NewTabPageLocation": f"{SHELL}/",
    "PasswordManagerEnabled": False,
    "ProxySettings": {"ProxyMode": "direct"},
    "QuicAllowed": False,
    "RemoteDebuggingAllowed": False,
    "SSLErrorOverrideAllowed": False,
    "SavingBrowserHistoryDisabled": True,
    "ScreenCaptureAllowed": False,
    "SearchSuggestEnabled": False,
    "SpellcheckEnabled": False,
    "SyncDisabled": True,
    "TaskManagerEndProcessEnabled": False,
    "TranslateEnabled": False,
    "UserFeedbackAllowed": False,
    "VideoCaptureAllowed": False,
}


def short_name(machine: Machine, view: SiteView) -> str:
    """Return a machine's name without its mall's."""
    return machine.name.removeprefix(f"{view.site.name}-")


def profile_of(machine: Machine, view: SiteView) -> tuple[str, Profile]:
    """Return the profile that a kiosk or display has, and its name."""
    screens = view.screens
    usual = screens.display if machine.kind == "display" else screens.kiosk
    if machine.kind == "kiosk" and machine.number == 1:
        usual = screens.first_kiosk
    name = view.site.screens.get(short_name(machine, view), usual)
    return name, screens.profiles[name]


def printer_of(machine: Machine, view: SiteView) -> Printer | None:
    """Return the ticket printer that somebody has written down for a kiosk."""
    return view.site.printers.get(short_name(machine, view))


def site_server(view: SiteView) -> str:
    """Return the name of the mall's own server, as its pages are called by."""
    return f"server-1.{zone_of(view)}"


def places_of(machine: Machine, view: SiteView) -> list[Json]:
    """
    Return the services that a screen offers, in order, as flows let its machine begin with them.

    Each with its name in both languages, its address, and what becomes of it without a way out (`when_dark`).
    """
    if not profile_of(machine, view)[1].services:
        return []
    found = {
        service: flow
        for flow in view.flows
        if CALLED_BY[machine.kind] in flow.sources and "tcp/443" in flow.ports
        for service in flow.services
    }
    offered = [
        {
            "name": service,
            "title": dict(zip(("id", "en"), view.titles.get(service.partition("/")[0], (service,) * 2), strict=True)),
            "url": f"https://{host_of(service)}/",
            "when_dark": flow.when_dark,
        }
        for service, flow in sorted(found.items())
    ]
    # What the mall's own server takes in works in the dark as well.
    taken = [
        {
            "name": flow.services[0],
            "title": {"id": flow.intake.title, "en": flow.intake.title_en},
            "url": f"https://{site_server(view)}/aduan/",
            "when_dark": "local",
        }
        for flow in view.flows
        if flow.intake and flow.services[0].partition("/")[0] in view.recipients
    ]
    return taken + offered


def policies_of(machine: Machine, view: SiteView) -> Json:
    """Return the managed policies of a screen's Chromium, by name; whom it trusts is added where it is configured."""
    _, profile = profile_of(machine, view)
    hosts = [place["url"].split("/")[2] for place in places_of(machine, view)]
    if profile.page:
        hosts.append(site_server(view))
    # A dot before a name keeps the names below it out.
    allowed = [SHELL, *(f"https://.{host}:443" for host in dict.fromkeys(hosts))]
    policies = {**FIXED, "PrintingEnabled": profile.printing, "URLBlocklist": BLOCKED, "URLAllowlist": allowed}
    # The page of the queue asks this machine for paper. Chromium 156 lets a page of a private network do so anyway; one
    # that asks the citizen first would have no answer.
    if printer_of(machine, view):
        policies["LoopbackNetworkAllowedForUrls"] = [f"https://{site_server(view)}"]
    return policies


def screen_of(machine: Machine, view: SiteView) -> Json:
    """Return what the shell of a screen is told: its profile, its places and the sentences for them."""
    name, profile = profile_of(machine, view)
    printer = printer_of(machine, view)
    return {
        "mall": view.site.title,
        "timezone": view.timezone,
        **_hours_of(view),
        "profile": name,
        "title": {"id": profile.title, "en": profile.title_en},
        "touch": profile.touch,
        "idle_seconds": profile.idle_seconds or 0,
        # The word behind it tells the page that this kiosk has paper.
        "page": f"https://{site_server(view)}/{profile.page}/{'#cetak' if printer else ''}" if profile.page else "",
        "printer": {"at": printer.at, "columns": printer.columns} if printer else {},
        "places": places_of(machine, view),
        "texts": catalogue("screen_"),
    }


def _hours_of(view: SiteView) -> Json:
    hours = view.site.hours
    dates = {when for assignment in view.site.assignments for when in assignment.on if is_date(when)}
    return {
        # None where nobody knows the hours: nothing then ever says that the mall is closed.
        "openings": [] if hours == "unknown" else openings(hours),
        # A date that an office was given opens a holiday.
        "closed_on": sorted(set(view.holidays) - dates),
    }


def queue_of(view: SiteView) -> Json:
    """Return what the mall's queue and survey are told; an office's letter comes from its slot, which stays its own."""
    calendar = calendar_of(view)
    return {
        "mall": view.site.title,
        "site": view.site.name,
        "server": site_server(view),
        "timezone": calendar["timezone"],
        "not_before": calendar["not_before"],
        **_hours_of(view),
        "assignments": calendar["assignments"],
        "prints": bool(view.site.printers),
        "kiosks": list(map(str, networks_of("kiosks", view.plan))),
        "callers": {
            str(address.ip): view.site.callers[short_name(machine, view)]
            for machine in view.machines
            if short_name(machine, view) in view.site.callers
            for address in links_of(machine, view)[-1].addresses
        },
        "offices": {
            office.agency: {
                "letter": _letter(office.slot),
                "title": view.titles[office.agency][0],
                "networks": calendar["offices"][office.agency]["networks"],
            }
            for office in view.site.offices
        },
        "satisfaction": {
            "elements": [
                {
                    "name": element.name,
                    "question": {"id": element.question, "en": element.question_en},
                    "answers": {"id": element.answers, "en": element.answers_en},
                }
                for element in view.satisfaction.elements
            ],
            "texts": catalogue("satisfaction_"),
        },
        "texts": catalogue("queue_"),
    }


def _letter(slot: int) -> str:
    return (chr(ord("A") + slot // 26 - 1) if slot >= 26 else "") + chr(ord("A") + slot % 26)
