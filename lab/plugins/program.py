"""Runs one Pulumi program in this process, connected to the engine that asked for it."""

from __future__ import annotations

import argparse
import asyncio
import os
import runpy
import sys
import traceback
from pathlib import Path

import pulumi
from pulumi.runtime import Settings, configure, get_config_env, get_config_secret_keys_env, run_in_stack
from pulumi.runtime.config import set_all_config

from lab.plugins.language_host import BAIL


def main() -> int:
    """Run the program; return 0, 1 for an error nobody has reported, or BAIL for one that was."""
    parser = argparse.ArgumentParser()
    for option in ("monitor", "engine", "project", "stack", "pwd", "organization", "dry_run", "root_directory"):
        parser.add_argument(f"--{option}", default="")
    parser.add_argument("--parallel", type=int, default=0)
    parser.add_argument("program")
    given, rest = parser.parse_known_args()
    program = Path(given.program)
    entry = program / "__main__.py" if program.is_dir() else program
    sys.argv = [str(entry), *rest]
    sys.path.insert(0, str(entry.parent))
    os.chdir(given.pwd or ".")
    set_all_config(get_config_env(), get_config_secret_keys_env())
    configure(
        Settings(
            monitor=given.monitor,
            engine=given.engine,
            project=given.project,
            stack=given.stack,
            parallel=given.parallel,
            dry_run=given.dry_run == "true",
            organization=given.organization,
            root_directory=given.root_directory or None,
        )
    )

    async def run() -> None:
        runpy.run_path(str(entry), run_name="__main__")

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(run_in_stack(run))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return BAIL
    except Exception as error:
        # A transform that refused has said why already; the SDK adds only its own frames to it.
        refused = str(error).partition("Invoke callback ")[2].partition(" error: ")[2]
        pulumi.log.error(refused.partition(":\n")[0] if refused else traceback.format_exc())
        return BAIL
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    os._exit(main())
