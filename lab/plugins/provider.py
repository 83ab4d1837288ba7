"""
The Kubernetes provider: what the engine asks, answered by server-side apply.

One field manager a resource (from its URN), dry runs in preview, refreshed inputs from Read,
deletes that wait, secrets that stay secret.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

import grpc
import yaml
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from balai.errors import EnvironmentFault
from balai.kube import APPLY, ApiError, Cluster, group_path
from lab.plugins import objects, serve
from lab.plugins.objects import MANAGER, UNKNOWN, Json

VERSION = "4.34.2"
DEFAULT_SECONDS = 300.0
SKIP_AWAIT = "pulumi.com/skipAwait"


class Unready(Exception):  # noqa: N818 - a state, not an error of the code
    """The object is in the cluster and is not ready; the engine must keep it."""

    def __init__(self, live: Json, reason: str) -> None:
        self.live = live
        super().__init__(reason)


class KubernetesProvider(provider_pb2_grpc.ResourceProviderServicer):
    """One configured cluster, as one provider resource of a program."""

    def __init__(self) -> None:
        self.cluster: Cluster | None = None
        self.cancelled = threading.Event()

    # The provider itself

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.GetSchemaResponse(schema="{}")

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        old, _ = objects.decode(request.old_inputs)
        new, _ = objects.decode(request.news)
        changed = [key for key in {*old, *new} - {"version"} if old.get(key) != new.get(key)]
        # Never a replacement: replacing a provider would replace everything made through it.
        some = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some, diffs=changed)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        arguments, _ = objects.decode(request.args)
        if not objects.has_unknown(arguments):
            try:
                self.cluster = Cluster.from_kubeconfig(arguments.get("kubeconfig"), arguments.get("context"))
            except EnvironmentFault as error:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.cancelled.set()
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.tok != "kubernetes:yaml:decode":
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the lab's provider has no function {request.tok}")
        arguments, _ = objects.decode(request.args)
        found = [item for item in yaml.safe_load_all(arguments["text"]) if item]
        return provider_pb2.InvokeResponse(**{"return": objects.encode({"result": found})})

    # Resources

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        news, secrets = objects.decode(request.news)
        olds, _ = objects.decode(request.olds)
        api_version, kind = _type(request.urn)
        news.setdefault("apiVersion", api_version)
        news.setdefault("kind", kind)
        metadata = news.setdefault("metadata", {})
        if isinstance(metadata, dict) and not metadata.get("name") and not metadata.get("generateName"):
            metadata["name"] = (olds.get("metadata") or {}).get("name") or objects.name_from(request.urn)
        news[MANAGER] = olds.get(MANAGER) or objects.manager_from(request.urn)
        return provider_pb2.CheckResponse(inputs=objects.encode(news, secrets))

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        old, _ = objects.decode(request.old_inputs)
        new, _ = objects.decode(request.news)
        found = list(objects.differences(old, new))
        detailed, replaces = {}, []
        for path, change in found:
            replace = objects.is_immutable(new.get("kind", ""), path)
            name = f"{change.upper()}{'_REPLACE' if replace else ''}"
            text = objects.pulumi_path(path)
            detailed[text] = provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.Kind.Value(name), inputDiff=True)
            if replace:
                replaces.append(text)
        some = provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(
            changes=some,
            diffs=list(detailed),
            replaces=replaces,
            detailedDiff=detailed,
            hasDetailedDiff=True,
            # Two objects cannot have one name at a time; a renamed one is made before the old one goes.
            deleteBeforeReplace=bool(replaces) and _key(old) == _key(new),
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        inputs, secrets = objects.decode(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=self._preview(inputs, secrets, context, existing=None))
        live = self._apply(inputs, context)
        self._await(live, inputs, secrets, request.timeout, context)
        return provider_pb2.CreateResponse(
            id=_id(live), properties=self._output(self._get(live) or live, inputs, secrets)
        )

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        inputs, secrets = objects.decode(request.news)
        if request.preview:
            existing, _ = objects.decode(request.olds)
            return provider_pb2.UpdateResponse(properties=self._preview(inputs, secrets, context, existing))
        live = self._apply(inputs, context)
        self._await(live, inputs, secrets, request.timeout, context)
        return provider_pb2.UpdateResponse(properties=self._output(self._get(live) or live, inputs, secrets))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        inputs, secrets = objects.decode(request.inputs)
        if not inputs:
            return self._import(request, context)
        live = self._get(inputs)
        if live is None:
            return provider_pb2.ReadResponse()
        try:
            wanted = self._send(inputs, force=True, dry_run=True)
        except ApiError:
            wanted = live  # it could not be applied again (a namespace that goes): no drift can be told
        inputs = objects.drifted(inputs, live, wanted)
        return provider_pb2.ReadResponse(
            id=_id(live), properties=self._output(live, inputs, secrets), inputs=objects.encode(inputs, secrets)
        )

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        state, _ = objects.decode(request.properties)
        path = self._path(state)
        uid = state["metadata"].get("uid")
        body: Json = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            if path:
                self._cluster().request("DELETE", path, body)
        except ApiError as error:
            if error.status == 404 or (error.status == 409 and "uid" in str(error).lower()):
                return empty_pb2.Empty()  # gone already, or another object has taken the name
            self._refuse(context, state, error)
        deadline = time.monotonic() + (request.timeout or DEFAULT_SECONDS)
        while (live := self._get(state)) and live["metadata"]["uid"] == (uid or live["metadata"]["uid"]):
            if time.monotonic() > deadline or self.cancelled.wait(0.2):
                held = ", ".join(live["metadata"].get("finalizers") or []) or "its controller"
                context.abort(
                    grpc.StatusCode.DEADLINE_EXCEEDED, f"{_label(state)} is still being deleted; {held} holds it"
                )
        return empty_pb2.Empty()

    # How

    def _cluster(self) -> Cluster:
        if self.cluster is None:
            raise EnvironmentFault("The provider has no kubeconfig yet.")
        return self.cluster

    def _path(self, item: Json, name: bool = True) -> str | None:
        entry = self._cluster().resource(item["apiVersion"], item["kind"])
        if entry is None:
            return None
        namespace = item["metadata"].get("namespace") or "default"
        where = f"/namespaces/{namespace}" if entry["namespaced"] else ""
        return f"{group_path(item['apiVersion'])}{where}/{entry['name']}" + (
            f"/{item['metadata']['name']}" if name else ""
        )

    def _get(self, item: Json) -> Json | None:
        path = self._path(item)
        try:
            live: Json | None = self._cluster().request("GET", path) if path else None
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return live

    def _send(self, inputs: Json, *, force: bool, dry_run: bool) -> Json:
        path = self._path(inputs)
        if path is None:
            raise ApiError(404, {"message": f"the cluster knows no kind {inputs['kind']} in {inputs['apiVersion']}"})
        query = f"?fieldManager={inputs[MANAGER]}&force={str(force).lower()}{'&dryRun=All' if dry_run else ''}"
        live: Json = self._cluster().request("PATCH", path + query, objects.manifest(inputs), APPLY)
        return live

    def _apply(self, inputs: Json, context: Any, *, dry_run: bool = False) -> Json:
        """Apply, and take a field back from a person's kubectl but never from another resource."""
        try:
            live = self._get(inputs)
            others = {
                entry["manager"]
                for entry in (live or {}).get("metadata", {}).get("managedFields") or []
                if entry["manager"].startswith("pulumi-kubernetes-")
            } - {inputs[MANAGER]}
            if others:
                context.abort(
                    grpc.StatusCode.ALREADY_EXISTS,
                    (
                        f"{_label(inputs)} is managed by another Pulumi resource ({', '.join(sorted(others))}): "
                        "rename one of them, or remove it there first"
                    ),
                )
            return self._send(inputs, force=True, dry_run=dry_run)
        except ApiError as error:
            if dry_run and error.status == 404:
                return {}  # its namespace or its kind comes with this very run
            self._refuse(context, inputs, error)
        except EnvironmentFault as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        raise AssertionError("abort raises")

    def _preview(self, inputs: Json, secrets: set[objects.Path], context: Any, existing: Json | None) -> Any:
        planned = {}
        if self.cluster is not None and not objects.has_unknown(inputs):
            planned = self._apply(inputs, context, dry_run=True)
        if not planned:
            return objects.encode(inputs, objects.secret_paths(inputs, secrets))
        result = objects.output(planned, inputs[MANAGER])
        old = (existing or {}).get("metadata") or {}
        for key in ("uid", "resourceVersion", "creationTimestamp"):
            result["metadata"][key] = old.get(key, UNKNOWN) if key != "resourceVersion" else UNKNOWN
        if "status" in result:
            result["status"] = UNKNOWN
        return objects.encode(result, objects.secret_paths(result, secrets))

    def _await(self, live: Json, inputs: Json, secrets: set[objects.Path], timeout: float, context: Any) -> None:
        if (live["metadata"].get("annotations") or {}).get(SKIP_AWAIT) == "true":
            return
        deadline = time.monotonic() + (timeout or DEFAULT_SECONDS)
        try:
            while reason := objects.not_ready(live):
                if time.monotonic() > deadline or self.cancelled.wait(0.2):
                    raise ValueError(f"{reason} after {timeout or DEFAULT_SECONDS:.0f} s")
                with contextlib.suppress(ApiError, EnvironmentFault):  # a watch would begin anew
                    live = self._get(live) or live
        except ValueError as error:
            text = f"{_label(live)} was made and is not ready: {error}"
            detail = any_pb2.Any()
            detail.Pack(
                provider_pb2.ErrorResourceInitFailed(
                    id=_id(live),
                    properties=self._output(live, inputs, secrets),
                    reasons=[text],
                    inputs=objects.encode(inputs, secrets),
                )
            )
            status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text, details=[detail])
            context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
            context.abort(grpc.StatusCode.UNKNOWN, text)

    def _output(self, live: Json, inputs: Json, secrets: set[objects.Path]) -> Any:
        result = objects.output(live, inputs[MANAGER])
        return objects.encode(result, objects.secret_paths(result, secrets))

    def _import(self, request: Any, context: Any) -> Any:
        api_version, kind = _type(request.urn)
        namespace, _, name = request.id.rpartition("/")
        wanted = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}
        live = self._get(wanted)
        if live is None:
            return provider_pb2.ReadResponse()
        inputs = {**objects.without_server_fields(live), MANAGER: objects.manager_from(request.urn)}
        secrets = objects.secret_paths(inputs, set())
        return provider_pb2.ReadResponse(
            id=_id(live), inputs=objects.encode(inputs, secrets), properties=self._output(live, inputs, secrets)
        )

    def _refuse(self, context: Any, item: Json, error: ApiError) -> None:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{_label(item)}: {'; '.join(error.causes) or error}")


def _type(urn: str) -> tuple[str, str]:
    """Return apiVersion and kind from the type in a URN: ...$kubernetes:apps/v1:Deployment::name."""
    token = urn.split("::")[2].rsplit("$", 1)[-1]
    _, group, kind = token.split(":")
    return group.removeprefix("core/"), kind


def _key(item: Json) -> tuple[str, str]:
    metadata = item.get("metadata") or {}
    return metadata.get("namespace") or "", metadata.get("name") or ""


def _id(live: Json) -> str:
    return "/".join(part for part in _key(live) if part)


def _label(item: Json) -> str:
    return f"{item.get('kind')} {'/'.join(part for part in _key(item) if part)}"


def main() -> None:
    """Serve until the engine ends."""
    provider = KubernetesProvider()
    serve(
        lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server),
        provider.cancelled.set,
    )


if __name__ == "__main__":
    main()
