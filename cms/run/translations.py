"""Catalogues of translations, in pure Python: no gettext tools are needed.

`python -m cms.run.translations` reads every translatable sentence of templates and code into
`locale/<language>/LC_MESSAGES/django.po`, keeping what is translated, and says how much is not.
`compile_messages()` makes the `.mo` files that Django reads; they are not committed, `make run`, `make test`
and the image make them.
"""

import os
import re
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("accounts", "billing", "stations", "cms")
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
_INDENTED = re.compile(r"^[ \t]+", re.MULTILINE)
_DATED = re.compile(
    r'^"(Report-Msgid-Bugs-To|POT-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team|Generated-By): .*\n',
    re.MULTILINE,
)

Found = tuple[str, str | tuple[str, ...], str | None]


def find_messages(root: Path = ROOT) -> Iterator[Found]:
    """File, sentence (with its plural where it has one) and context, of everything translatable."""
    for path in sorted((root / "templates").rglob("*")):
        if path.suffix in (".html", ".txt"):
            name = path.relative_to(root).as_posix()
            # Everything but the calls becomes letters that are no keyword, indented like the page.
            source = templatize(path.read_text(), origin=name)
            yield from _calls(_INDENTED.sub("", source), name)
    for app in APPS:
        for path in sorted((root / app).rglob("*.py")):
            if "migrations" not in path.parts:
                name = path.relative_to(root).as_posix()
                yield from _calls(path.read_text(), name)


def _calls(source: str, name: str) -> Iterator[Found]:
    for _line, message, _comments, context in extract(
        "python", BytesIO(source.encode()), keywords=KEYWORDS
    ):
        text = message if isinstance(message, str) else tuple(message)
        if text and text[0]:
            yield name, text, context


def catalogues(root: Path = ROOT) -> list[Path]:
    """The `.po` files, one a language."""
    return sorted((root / "locale").glob("*/LC_MESSAGES/django.po"))


def read_catalogue(path: Path) -> Catalog:
    """What a `.po` file holds; its language is its folder's name."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def missing(catalogue: Catalog, found: list[Found]) -> list[str]:
    """Sentences of the code that the catalogue does not translate."""
    lacking = []
    for _name, text, context in found:
        singular = text if isinstance(text, str) else text[0]
        message = catalogue.get(singular, context)
        strings = (
            []
            if message is None
            else [message.string]
            if isinstance(message.string, str)
            else message.string
        )
        if message is None or message.fuzzy or not strings or not all(strings):
            lacking.append(singular)
    return sorted(set(lacking))


def update_catalogues(root: Path = ROOT) -> dict[str, list[str]]:
    """Write the sentences of the code into every catalogue; what each does not translate yet, by language."""
    found = list(find_messages(root))
    template = Catalog(charset="utf-8")
    for name, text, context in found:
        template.add(text, locations=[(name, 0)], context=context)
    lacking = {}
    for path in catalogues(root):
        catalogue = read_catalogue(path)
        catalogue.update(template, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        catalogue.fuzzy = False
        path.write_text(_written(catalogue))
        lacking[path.parent.parent.name] = missing(catalogue, found)
    return lacking


def _written(catalogue: Catalog) -> str:
    """The text of a `.po` file, the same for the same sentences: no dates, no line numbers."""
    file = BytesIO()
    write_po(file, catalogue, width=100, sort_output=True, include_lineno=False)
    return _DATED.sub("", file.getvalue().decode()).lstrip()


def compile_messages(root: Path = ROOT) -> list[Path]:
    """Make each `.mo` file that is missing or older than its `.po` file; those that were made."""
    made = []
    for path in catalogues(root):
        target = path.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime_ns >= path.stat().st_mtime_ns:
            continue
        # A reader never meets half a file.
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        with partial.open("wb") as file:
            write_mo(file, read_catalogue(path))
        partial.replace(target)
        made.append(target)
    return made


def main() -> int:
    """Update and compile; what lacks a translation goes to standard output, and makes it fail."""
    lacking = update_catalogues()
    compile_messages()
    for language, sentences in lacking.items():
        for sentence in sentences:
            sys.stdout.write(f"{language}: {sentence}\n")
    return 1 if any(lacking.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
