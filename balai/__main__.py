"""`python -m balai` is `balai`."""

from __future__ import annotations

from balai.cli import main

main()
