"""
A small client of the Kubernetes API: JSON in, JSON out, over kept-alive connections.

Reads a kubeconfig with client certificates, tokens or an exec plugin. It is not the official
client: that one takes 0.4 s to import and models every kind, and all that is needed here is
requests on paths.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3
import yaml

from balai.errors import EnvironmentFault

Json = dict[str, Any]
APPLY = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API server refused a request; `status` is its HTTP code, `body` its Status object."""

    def __init__(self, status: int, body: Json, warnings: list[str] | None = None) -> None:
        self.status = status
        self.body = body
        self.warnings = warnings or []
        super().__init__(str(body.get("message") or body.get("reason") or f"HTTP {status}"))

    @property
    def causes(self) -> list[str]:
        """Return the messages of the single causes that the server named."""
        details: Json = self.body.get("details") or {}
        return [str(cause.get("message", "")) for cause in details.get("causes") or []]


@dataclass
class Cluster:
    """A cluster's API server, as one identity sees it."""

    server: str
    _http: urllib3.PoolManager
    _headers: dict[str, str]
    _kinds: dict[str, list[Json]] = field(default_factory=dict)

    @classmethod
    def from_kubeconfig(cls, source: str | Path | None = None, context: str | None = None) -> Cluster:
        """
        Connect as a kubeconfig says.

        Args:
            source: Path or text of a kubeconfig; $KUBECONFIG, then ~/.kube/config when None.
            context: Name of the context; the current one when None.

        Raises:
            EnvironmentFault: There is no such file or context, or its credentials cannot be had.
        """
        text = _read(source)
        try:
            config: Json = yaml.safe_load(text)
            name = context or config["current-context"]
            chosen = _named(config, "contexts", name)["context"]
            cluster = _named(config, "clusters", chosen["cluster"])["cluster"]
            user = _named(config, "users", chosen["user"])["user"]
            tls = _tls(cluster, user)
        except (KeyError, TypeError, yaml.YAMLError, OSError, ssl.SSLError) as error:
            raise EnvironmentFault(f"The kubeconfig cannot be used: {error}. Check KUBECONFIG.") from error
        retries = urllib3.Retry(total=2, status=0, read=0, redirect=0)  # a write is never sent twice
        http = urllib3.PoolManager(
            ssl_context=tls, maxsize=8, timeout=urllib3.Timeout(connect=5, read=60), retries=retries
        )
        return cls(server=cluster["server"].rstrip("/"), _http=http, _headers=_bearer(user))

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Any:
        """
        Send one request and return the decoded answer (text where it is no JSON).

        Raises:
            ApiError: The server refused it.
            EnvironmentFault: The server did not answer.
        """
        answer, _ = self.request_with_warnings(method, path, body, content_type, accept)
        return answer

    def request_with_warnings(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> tuple[Any, list[str]]:
        """Send one request; return the answer and the texts of its Warning headers."""
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, "Accept": accept, "Content-Type": content_type}
        try:
            reply = self._http.request(method, self.server + path, body=data, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise EnvironmentFault(
                f"The API server {self.server} does not answer ({type(reason).__name__}): "
                "is the cluster up, and the way to it?"
            ) from error
        text = reply.data.decode(errors="replace")
        try:
            answer: Any = json.loads(text)
        except ValueError:
            answer = text
        warnings = [w.split('"', 1)[1].rstrip('"') for w in reply.headers.getlist("Warning") if '"' in w]
        if reply.status >= 400:
            raise ApiError(reply.status, answer if isinstance(answer, dict) else {"message": text.strip()}, warnings)
        return answer, warnings

    def resource(self, api_version: str, kind: str, *, refresh: bool = True) -> Json | None:
        """Return the discovery entry (name, namespaced, verbs) of a kind, None if it is unknown."""
        for attempt in range(2 if refresh else 1):
            if attempt or api_version not in self._kinds:
                try:
                    listing = self.request("GET", group_path(api_version))
                except ApiError as error:
                    if error.status != 404:
                        raise
                    listing = {}
                self._kinds[api_version] = listing.get("resources") or []
            for entry in self._kinds[api_version]:
                if entry["kind"] == kind and "/" not in entry["name"]:
                    return dict(entry)
        return None

    def list(self, api_version: str, kind: str, namespace: str = "", selector: str = "") -> list[Json]:
        """Return all objects of a kind (of one namespace), with their kind and version filled in."""
        entry = self.resource(api_version, kind)
        if entry is None:
            return []
        where = f"/namespaces/{namespace}" if namespace else ""
        query = f"&labelSelector={selector}" if selector else ""
        items: list[Json] = []
        token = ""
        while True:
            page = self.request("GET", f"{group_path(api_version)}{where}/{entry['name']}?limit=500{query}{token}")
            items += [{"apiVersion": api_version, "kind": kind, **item} for item in page["items"]]
            following = page["metadata"].get("continue")
            if not following:
                return items
            token = f"&continue={following}"


def group_path(api_version: str) -> str:
    """Return the path of an API group and version: /api/v1 or /apis/apps/v1."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _read(source: str | Path | None) -> str:
    if isinstance(source, str) and "\n" in source:
        return source
    path = Path(source or os.environ.get("KUBECONFIG") or Path.home() / ".kube/config")
    try:
        return path.read_text()
    except OSError as error:
        raise EnvironmentFault(
            f"There is no kubeconfig at {path}: set KUBECONFIG to one (`make up` prints the lab's)."
        ) from error


def _named(config: Json, section: str, name: str) -> Json:
    for entry in config[section]:
        if entry["name"] == name:
            return dict(entry)
    raise KeyError(f"no {name!r} among {section}")


def _tls(cluster: Json, user: Json) -> ssl.SSLContext:
    authority = _material(cluster, "certificate-authority")
    context = ssl.create_default_context(cadata=authority.decode() if authority else None)
    if cluster.get("insecure-skip-tls-verify"):
        raise KeyError("insecure-skip-tls-verify is set; name the certificate authority instead")
    certificate, key = _material(user, "client-certificate"), _material(user, "client-key")
    if certificate and key:
        # The TLS library reads only files: this one is unlinked before anybody could open it.
        with tempfile.TemporaryFile() as pair:
            pair.write(certificate + b"\n" + key)
            pair.flush()
            context.load_cert_chain(f"/proc/self/fd/{pair.fileno()}")
    return context


def _material(entry: Json, key: str) -> bytes | None:
    if entry.get(f"{key}-data"):
        return base64.b64decode(entry[f"{key}-data"])
    return Path(entry[key]).read_bytes() if entry.get(key) else None


def _bearer(user: Json) -> dict[str, str]:
    token = user.get("token")
    if user.get("tokenFile"):
        token = Path(user["tokenFile"]).read_text().strip()
    if plugin := user.get("exec"):
        env = {**os.environ, **{entry["name"]: entry["value"] for entry in plugin.get("env") or []}}
        run = subprocess.run(
            [plugin["command"], *(plugin.get("args") or [])], env=env, text=True, capture_output=True, check=False
        )
        if run.returncode != 0:
            raise EnvironmentFault(f"The kubeconfig's {plugin['command']} failed: {run.stderr.strip()[-200:]}")
        token = json.loads(run.stdout)["status"].get("token")
    return {"Authorization": f"Bearer {token}"} if token else {}
