"""`balai`: orders and explains what the plain tools do. One module a verb group; no logic."""

from __future__ import annotations

import importlib
import os
import sys

import click

from balai.errors import BalaiError, DataError

VERBS = {
    "validate": "estate",
    "schemas": "estate",
    "check": "rules",
    "controls": "rules",
    "explain": "rules",
    "exceptions": "rules",
    "up": "stacks",
    "preview": "stacks",
    "render": "stacks",
    "affected": "stacks",
    "fleet": "fleet",
    "isolate": "isolate",
    "flows": "flows",
    "mall": "mall",
    "new": "new",
    "show": "show",
    "tenant": "tenant",
    "audit": "audit",
    "isolation": "audit",
}


class _Lazy(click.Group):
    """Imports a verb's module when the verb is used: `balai --version` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = VERBS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(f"balai.cli.{module}"), cmd_name)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="balai", message="balai %(version)s")
def balai() -> None:
    """Infrastructure as code for government data centres and public service malls."""


def main() -> None:
    """Run the command line; every refusal is words and an exit code, never a traceback."""
    try:
        code = balai.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except DataError as error:
        from balai.text import say

        click.echo(f"{say('problems', count=len(error.problems))}:", err=True)
        for problem in error.problems:
            click.echo(f"  {problem}", err=True)
        sys.exit(error.exit_code)
    except BalaiError as error:
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("BALAI_DEBUG"):
            raise
        kind = type(error).__name__
        click.echo(f"balai met something it does not know ({kind}: {error}); BALAI_DEBUG=1 shows where.", err=True)
        sys.exit(3)
    sys.exit(code or 0)
