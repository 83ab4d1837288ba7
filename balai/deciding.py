"""
Requests for a quota and decisions on them, as the few lines of a tenant's file that a person would write.

Only those lines change; comments and everything else stay. What comes of it is judged as `balai validate` judges before
any of it is written.
"""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

from balai import yamlfile
from balai.errors import BalaiError, DataError
from balai.models import Tenant, load
from balai.models.lifecycle import Amounts, Used
from balai.onboarding import Change
from balai.reading import problem
from balai.text import say
from balai.yamlfile import Document, Path_


class NotNow(BalaiError):  # noqa: N818 - the words are what it refuses
    """There is no such tenant, or nothing to decide, or something is to be decided first."""


def asked(
    root: Path, name: str, *, by: str, requested: Amounts, reason: str, used: Used | None, today: datetime.date
) -> Change:
    """
    Return what a request for a quota writes.

    Raises:
        NotNow: Another request is open, or what is asked is what there is.
        DataError: The tenant's file is wrong.
    """
    document, tenant, text = _read(root, name)
    if tenant.requests and tenant.requests[-1].decided == "open":
        raise NotNow(say("request_open", tenant=name, by=tenant.requests[-1].by, date=tenant.requests[-1].date))
    quota = tenant.quota.model_dump()
    original = {part: quota[part] for part in requested.given}
    if original == requested.given:
        raise NotNow(say("request_nothing", tenant=name, quota=_flow(original)))
    lines = [
        f"by: {json.dumps(by, ensure_ascii=False)}",
        f'date: "{today.isoformat()}"',
        f"original: {_flow(original)}",
        f"requested: {_flow(requested.given)}",
        f"reason: {json.dumps(reason, ensure_ascii=False)}",
        f"used: {_flow(used.model_dump()) if used else 'unknown'}",
        "decided: open",
    ]
    return _change(root, name, text, _appended(document, text, lines))


def decided(
    root: Path, name: str, *, by: str, values: dict[str, Any] | None, reason: str, today: datetime.date
) -> Change:
    """
    Return what the decision on a tenant's open request writes: the decision, and the quota that it makes.

    Args:
        values: What is given, part by part; all that was asked when None.

    Raises:
        NotNow: No request is open.
        DataError: The tenant's file is wrong.
    """
    document, tenant, text = _read(root, name)
    if not tenant.requests or tenant.requests[-1].decided != "open":
        raise NotNow(say("request_none", tenant=name))
    request, nth = tenant.requests[-1], len(tenant.requests) - 1
    given = request.requested.given if values is None else values
    lines = text.splitlines()
    decision = (
        f'{{by: {json.dumps(by, ensure_ascii=False)}, date: "{today.isoformat()}", values: {_flow(given)}, '
        f"reason: {json.dumps(reason, ensure_ascii=False)}}}"
    )
    _replace(lines, document, ("requests", nth, "decided"), decision)
    for part, value in given.items():
        _replace(lines, document, ("quota", part), _scalar(value))
    return _change(root, name, text, "\n".join(lines) + "\n")


def erased(root: Path, name: str, date: str, proof: dict[str, str]) -> Change:
    """
    Return what the end of a tenant writes: the day, and the hash of each cluster's certificate.

    Raises:
        DataError: The tenant's file is wrong.
    """
    document, tenant, text = _read(root, name)
    if tenant.decommissioning is None or tenant.decommissioning.erased != "not_yet":
        raise NotNow(say("erased_already", tenant=name))
    lines = text.splitlines()
    proofs = ", ".join(f"{cluster}: {digest}" for cluster, digest in sorted(proof.items()))
    _replace(lines, document, ("decommissioning", "erased"), f'{{date: "{date}", proof: {{{proofs}}}}}')
    return _change(root, name, text, "\n".join(lines) + "\n")


def _read(root: Path, name: str) -> tuple[Document, Tenant, str]:
    path = root / "tenants" / f"{name}.yml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yml")))
        raise NotNow(say("tenant_unknown", tenant=name, known=known))
    text = path.read_text(encoding="utf-8")
    document = yamlfile.read(path)
    return document, load(Tenant, document), text


def _change(root: Path, name: str, before: str, after: str) -> Change:
    path = f"tenants/{name}.yml"
    load(Tenant, yamlfile.parse(after, str(root / path)))  # what was written into it is read back
    return Change(name=name, files={path: after}, read={path: before})


def _appended(document: Document, text: str, entry: list[str]) -> str:
    """Return a file's text with one more request below the others, indented as they are."""
    lines = text.rstrip().splitlines()
    there = (document.data or {}).get("requests")
    start = document.line(("requests",)) - 1
    if there is None:
        return "\n".join([*lines, "requests:", *_item(entry, "  ")]) + "\n"
    if not there:
        lines[start : start + 1] = ["requests:", *_item(entry, "  ")]
        return "\n".join(lines) + "\n"
    if not (first := re.match(r"^(\s*)- ", lines[document.line(("requests", 0)) - 1])):
        bound = "`requests` stands on one line, and nothing can be put below it"
        raise DataError([problem(Path(document.name), bound, "Write each request in lines of its own, after a dash.")])
    following = [document.line((key,)) - 1 for key in document.data if document.line((key,)) - 1 > start]
    end = min(following, default=len(lines))
    while not lines[end - 1].strip() or lines[end - 1].startswith("#"):
        end -= 1  # a comment above the next key is that key's
    lines[end:end] = _item(entry, first[1])
    return "\n".join(lines) + "\n"


def _item(entry: list[str], indent: str) -> list[str]:
    return [f"{indent}{'- ' if n == 0 else '  '}{line}" for n, line in enumerate(entry)]


def _replace(lines: list[str], document: Document, path: Path_, value: str) -> None:
    """Put a value in the place of a plain one, on the line of its key."""
    at = document.line(path) - 1
    key = re.escape(str(path[-1]))
    pattern = rf"(^|[\s{{,-])({key}\s*:\s+)(\"[^\"]*\"|'[^']*'|[^\s,}}#]+)"
    changed, count = re.subn(pattern, lambda m: f"{m[1]}{m[2]}{value}", lines[at], count=1)
    if not count:
        bound = f"`{yamlfile.dotted(path)}` is not written on one line, and cannot be changed there"
        raise DataError([problem(Path(document.name), bound, "Write it as `key: value` on one line.")])
    lines[at] = changed


def _flow(values: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_scalar(value)}" for key, value in values.items() if value is not None) + "}"


def _scalar(value: Any) -> str:
    """Return a value as YAML in one line; text is quoted unless it can be nothing else."""
    if isinstance(value, int) or re.fullmatch(r"[0-9]+(m|Ki|Mi|Gi|Ti)", str(value)):
        return str(value)
    return json.dumps(value, ensure_ascii=False)
