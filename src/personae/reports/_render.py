"""A page as one HTML file: templates with autoescape, style inlined, nothing fetched, no script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from personae.core import InputError, replace_file
from personae.reports._blocks import Page, Section
from personae.reports._numbers import fact_text
from personae.reports._views import Counter, prose_html, views_of

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES: Final = Path(__file__).parent / "templates"
_ID: Final = re.compile(r"[a-z][a-z0-9-]*")
# What HTML cannot hold, or what would move other text about. Tab, newline and carriage return stay.
_CONTROL: Final = {c: 0x2400 + c for c in range(32) if c not in {9, 10, 13}} | {0x7F: 0x2421}
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def render_page(page: Page) -> str:
    """The page as HTML text. The same page gives the same bytes.

    Raises:
        InputError: a section id is malformed or used twice.
    """
    _check_ids(page.sections)
    from markupsafe import Markup

    style = Markup(style_sheet())  # noqa: S704 - our own packaged file
    counter = Counter()
    sections = [
        {"section": s, "lead": prose_html(s.lead) if s.lead else "", "views": views_of(s.blocks, counter)}
        for s in page.sections
    ]
    text = (
        _environment()
        .get_template("page.html.j2")
        .render(page=page, style=style, sections=sections, meta=[(k, fact_text(k, v)) for k, v in page.meta.items()])
    )
    return _SURROGATE.sub("\ufffd", text.translate(_CONTROL))


def write_report(page: Page, path: str | Path) -> Path:
    """Write the page to `path` at once or not at all, and return the path.

    Raises:
        StorageError: the file cannot be written.
    """
    return replace_file(Path(path), [render_page(page).encode("utf-8")])


def style_sheet() -> str:
    """Tokens and rules of the report, for other faces that show the same blocks."""
    return "\n".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("tokens.css", "report.css"))


def _check_ids(sections: Sequence[Section]) -> None:
    seen: set[str] = set()
    for section in sections:
        if not _ID.fullmatch(section.id):
            raise InputError(f"section id {section.id!r}: expected lower-case letters, digits and hyphens.")
        if section.id in seen:
            raise InputError(f"section id {section.id!r} is used twice.", hint="Give one of them another id.")
        seen.add(section.id)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
