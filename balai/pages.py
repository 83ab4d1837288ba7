"""The one way in which templates of the project become text."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


def render(template: str, /, *, escape: bool = True, **words: object) -> str:
    """
    Return a template of templates/ with its words; a word that is missing raises, and is never an empty place.

    Values are escaped for HTML and SVG unless `escape` is off, as only a script asks whose values have strict patterns.
    """
    return _environment(escape).get_template(template).render(**words)


@cache
def _environment(escape: bool) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=escape,  # noqa: S701 - see above
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
