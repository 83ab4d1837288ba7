"""The language host: runs a Python program or policy pack for the engine, as a child process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from lab.plugins import serve

BAIL = 32  # the SDK's exit code for "the error has been reported already"


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """The RPCs that engine 3.259 calls for a Python program."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.children: list[subprocess.Popen[bytes]] = []

    def stop(self) -> None:
        """End the programs: one that lives on would hold the engine's pipe open."""
        for child in self.children:
            if child.poll() is None:
                child.kill()

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self.engine = request.engine_address or self.engine
        return language_pb2.LanguageHandshakeResponse()

    def GetRequiredPackages(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return language_pb2.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return language_pb2.GetRequiredPluginsResponse()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version="3.259.0")

    def About(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def GetProgramDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return language_pb2.GetProgramDependenciesResponse()

    def RuntimeOptionsPrompts(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return language_pb2.RuntimeOptionsResponse()

    def InstallDependencies(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        yield language_pb2.InstallDependenciesResponse(stdout=b"requirements.lock is installed by `make tools`\n")

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self.stop()
        return empty_pb2.Empty()

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        info = request.info
        program = Path(info.program_directory or request.program or ".") / (info.entry_point or "")
        arguments = {
            "--monitor": request.monitor_address,
            "--engine": self.engine,
            "--project": request.project,
            "--stack": request.stack,
            "--pwd": request.pwd,
            "--organization": request.organization,
            "--parallel": str(request.parallel),
            "--dry_run": "true" if request.dryRun else "",
            "--root_directory": info.root_directory,
        }
        given = [word for key, value in arguments.items() if value for word in (key, value)]
        child = self._start(
            [sys.executable, "-u", "-m", "lab.plugins.program", *given, str(program), *request.args],
            cwd=request.pwd,
            env={
                "PULUMI_CONFIG": json.dumps(dict(request.config)),
                "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
            },
        )
        code = child.wait()
        if code == BAIL:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(error=f"the program ended with exit code {code}" if code else "")

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        folder = request.info.program_directory or request.program
        child = self._start(
            [sys.executable, "-u", "-m", "pulumi.policy", *request.args[:1], folder],
            cwd=request.pwd,
            env=dict(pair.split("=", 1) for pair in request.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert child.stdout and child.stderr
        errors: list[bytes] = []
        reader = threading.Thread(target=lambda: errors.append(child.stderr.read()), daemon=True)  # type: ignore[union-attr]
        reader.start()
        for line in child.stdout:
            yield language_pb2.RunPluginResponse(stdout=line)
        code = child.wait()
        reader.join(5)
        for text in errors:
            yield language_pb2.RunPluginResponse(stderr=text)
        yield language_pb2.RunPluginResponse(exitcode=code)

    def _start(self, argv: list[str], cwd: str, env: dict[str, str], **pipes: Any) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(argv, cwd=cwd or None, env={**os.environ, **env}, stdin=subprocess.DEVNULL, **pipes)
        self.children.append(child)
        return child


def main() -> None:
    """Start as the engine starts a language host: options, then the engine's address last."""
    host = LanguageHost(sys.argv[-1])
    serve(lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server), host.stop)


if __name__ == "__main__":
    main()
