"""
What does not work in a mall, on one page for its technician: `verdicts.py SETTINGS`.

Each machine tells its verdict once a minute, and only from an address of its own; the newest is kept in memory, and
nothing on disk. One that has told none for five minutes is a finding itself. How long ago something was told is known
from the monotonic clock: no other has to be right.
"""

from __future__ import annotations

import http.server
import ipaddress
import json
import re
import sys
import time
import urllib.parse
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

ADDRESS = ("127.0.0.1", 8083)
SILENT_AFTER, EVERY = 300.0, 15  # seconds
SILENT = "M"  # the code of a silent machine: no letter of a finding
MOST_BYTES, MOST_FINDINGS, MOST_LETTERS = 16 * 1024, 60, 120
CODE = re.compile(r"[A-Z][0-9]{0,3}( [A-Z][0-9]{0,3}){0,59}")
Json = dict[str, Any]


class RefusedError(Exception):
    """Something that is not taken in or not shown, with its code of HTTP."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Verdicts:
    """The newest verdict of each machine of the plan."""

    def __init__(self, settings: Json, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings, self.clock = settings, clock
        self.started = clock()
        self.of = {ipaddress.ip_address(a): name for name, own in settings["machines"].items() for a in own}
        self.readers = [ipaddress.ip_network(network) for network in settings["readers"]]
        self.never = {ipaddress.ip_address(address) for address in settings["never"]}
        self.told: dict[str, tuple[float, str, list[Json]]] = {}

    def take(self, source: str, asked: Any) -> None:
        """Keep a verdict that a machine tells of itself."""
        machine = self.of.get(ipaddress.ip_address(source))
        if machine is None or machine != asked["machine"]:
            raise RefusedError(403)
        code, findings = str(asked["code"]), asked["findings"]
        if bool(findings) != (code != "OK") or not (code == "OK" or CODE.fullmatch(code)):
            raise RefusedError(400)
        if not isinstance(findings, list) or len(findings) > MOST_FINDINGS:
            raise RefusedError(400)
        self.told[machine] = (self.clock(), code, [_finding(finding) for finding in findings])

    def may_read(self, source: str) -> bool:
        """Return whether the page is for somebody at an address."""
        address = ipaddress.ip_address(source)
        return address not in self.never and any(address in network for network in self.readers)

    def machines(self, texts: dict[str, str]) -> list[Json]:
        """Return each machine with its sentences, its code, and the age of what is known (seconds)."""
        now = self.clock()
        result: list[Json] = []
        for name in self.settings["machines"]:
            at, code, findings = self.told.get(name, (self.started, "", []))
            age = now - at
            sentences = [_sentence(finding, texts) for finding in findings]
            if age > SILENT_AFTER:
                code = SILENT
                sentences = [texts["verdicts_silent"].format(machine=name, minutes=int(age // 60))]
            result.append({"name": name, "code": code, "sentences": sentences, "age": int(age)})
        return result

    def page(self, lang: str) -> str:
        """Return the page: what does not work before what does."""
        settings, texts = self.settings, {key: text[lang] for key, text in self.settings["texts"].items()}
        machines = self.machines(texts)
        broken = [machine for machine in machines if machine["sentences"]]
        waiting = [machine["name"] for machine in machines if not machine["code"]]
        fine = [machine["name"] for machine in machines if machine["code"] == "OK"]
        count = sum(len(machine["sentences"]) for machine in broken)
        if broken:
            state, headline = "broken", texts["verdicts_broken"].format(count=count)
        elif waiting:
            state, headline = "waiting", texts["verdicts_waiting"].format(count=len(waiting))
        else:
            state, headline = "fine", texts["verdicts_fine"]
        number = texts["status_number" if settings["helpdesk"] else "status_no_number"]
        other = "en" if lang == "id" else "id"
        body = [f"<header><p>{escape(settings['mall'])}</p><h1>{escape(headline)}</h1></header>"]
        body += [self._section(machine, texts) for machine in broken]
        if broken:
            body.append(f"<p class=call>{escape(number.format(number=settings['helpdesk']))}</p>")
        body += [
            f"<p>{escape(texts[key].format(machines=', '.join(names)))}</p>"
            for key, names in (("verdicts_working", fine), ("verdicts_not_yet", waiting))
            if names
        ]
        body.append(f"<p><a href='?lang={other}'>{escape(texts['verdicts_other_language'])}</a></p>")
        return _document(lang, state, headline, "\n".join(body))

    @staticmethod
    def _section(machine: Json, texts: dict[str, str]) -> str:
        steps = "".join(f"<li>{escape(sentence)}</li>" for sentence in machine["sentences"])
        call = texts["status_call"].format(machine=machine["name"], code=machine["code"])
        # Of a silent one its sentence says how long: it may never have told anything.
        age = texts["verdicts_age"].format(seconds=machine["age"]) if machine["code"] != SILENT else ""
        title = f"<h2>{escape(machine['name'])} <b>{escape(machine['code'])}</b></h2>"
        return f"<section>{title}<ol>{steps}</ol><p class=call>{escape(call)}</p><p>{escape(age)}</p></section>"


def _finding(given: Any) -> Json:
    """Return a finding as it is kept: a few short words and numbers."""
    if not isinstance(given, dict) or len(given) > 10 or not isinstance(given.get("kind"), str):
        raise RefusedError(400)
    if not all(isinstance(value, (str, int)) and len(str(value)) <= MOST_LETTERS for value in given.values()):
        raise RefusedError(400)
    return given


def _sentence(finding: Json, texts: dict[str, str]) -> str:
    """Return the sentence of a finding; a machine of another release may have found what is not known here."""
    try:
        return texts[f"status_{finding['kind']}"].format(**finding)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError):
        return texts["verdicts_not_known"]


def _document(lang: str, state: str, title: str, body: str) -> str:
    return (
        f"<!doctype html>\n<html lang={lang}>\n<head>\n<meta charset=utf-8>\n"
        f"<meta name=viewport content='width=device-width'>\n<meta http-equiv=refresh content={EVERY}>\n"
        f"<title>{escape(title)}</title>\n<link rel=stylesheet href='/periksa/periksa.css'>\n</head>\n"
        f"<body class={state}>\n{body}\n</body>\n</html>\n"
    )


def language(query: str, header: str) -> str:
    """Return the language of a page: what its address asks for, else the browser's first, else Indonesian."""
    wanted = urllib.parse.parse_qs(query).get("lang", [header.strip().lower()])[0]
    return "en" if wanted.startswith("en") else "id"


def handler(verdicts: Verdicts) -> type[http.server.BaseHTTPRequestHandler]:
    """Return what answers the server in front, which tells whose request it is (X-Forwarded-For)."""

    class Handler(http.server.BaseHTTPRequestHandler):
        # One request a conversation (HTTP/1.0): whatever follows the first is never taken for another's.
        timeout = 10
        wbufsize = -1

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            lang = language(query, self.headers.get("Accept-Language", ""))
            if path != "/periksa/":
                self._send(404, "", "text/plain")
                return
            try:
                permitted = verdicts.may_read(self._source())
            except ValueError:
                permitted = False
            if permitted:
                self._send(200, verdicts.page(lang), "text/html")
            else:
                self._send(403, verdicts.settings["texts"]["verdicts_not_yours"][lang] + "\n", "text/plain")

        def do_POST(self) -> None:
            try:
                verdicts.take(self._source(), self._asked())
                self._send(200, "{}", "application/json")
            except RefusedError as refused:
                self._send(refused.code, "{}", "application/json")
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                self._send(400, "{}", "application/json")

        def _asked(self) -> Any:
            length = int(self.headers.get("Content-Length") or 0)
            if not 0 < length <= MOST_BYTES or self.path != "/api/verdicts":
                raise RefusedError(413)
            return json.loads(self.rfile.read(length))

        def _source(self) -> str:
            return self.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()

        def _send(self, code: int, body: str, kind: str) -> None:
            words = body.encode()
            self.send_response(code)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(words)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(words)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep no record of who looks."""

    return Handler


def main(argv: list[str]) -> None:
    """Take in and show until stopped."""
    verdicts = Verdicts(json.loads(Path(argv[0]).read_text()))
    http.server.ThreadingHTTPServer(ADDRESS, handler(verdicts)).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
