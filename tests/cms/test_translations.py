"""Every sentence that people read can be translated, and is."""

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from django.template.base import DebugLexer, TokenType
from django.test import Client
from django.utils import translation

from cms.run import translations
from cms.run.translations import (
    ROOT,
    catalogues,
    compile_messages,
    find_messages,
    missing,
    read_catalogue,
    update_catalogues,
)
from tests.cms.portal.conftest import client_as, make_world, owner, world  # noqa: F401

# Names, units and abbreviations: the same in every language that we speak.
PROPER = {
    "Magetsi", "EVSE", "OCPP", "OCPI", "CSV", "XLSX", "PDF", "QR", "kW", "kWh", "Wh", "W", "UTC", "URL", "RFID", "SVG",
    "REST", "API", "VAT", "ID", "URI", "×",
}  # fmt: skip
# Attributes that are read or heard.
SPOKEN = ("alt", "title", "placeholder", "aria-label", "aria-description", "label")
SKIPPED = {"script", "style", "code", "pre", "svg"}
# For programmers, in English alone.
ENGLISH = {"templates/cms/api_docs.html", "templates/cms/api_docs_fields.html"}

TEMPLATES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "templates").rglob("*.html")
    if path.relative_to(ROOT).as_posix() not in ENGLISH
)


class _Words(HTMLParser):
    """Text of a page that did not come from a tag of the template language."""

    def __init__(self) -> None:
        super().__init__()
        self.skipping: list[str] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pairs = dict(attrs)
        if tag in SKIPPED or pairs.get("translate") == "no":
            self.skipping.append(tag)
        for name, value in attrs:
            if name in SPOKEN or name.startswith(("data-word", "data-toast")):
                self._take(value or "" if name != "data-toast-level" else "")
        if tag == "input" and pairs.get("type") in ("submit", "button"):
            self._take(pairs.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        if self.skipping and self.skipping[-1] == tag:
            self.skipping.pop()

    def handle_data(self, data: str) -> None:
        if not self.skipping:
            self._take(data)

    def _take(self, text: str) -> None:
        words = re.findall(r"[^\W\d_]{2,}", text)
        if any(word not in PROPER for word in words):
            self.found.append(" ".join(text.split()))


def bare_words(source: str) -> list[str]:
    """Words of a template that no translation reaches."""
    plain: list[str] = []
    until = ""
    for token in DebugLexer(source).tokenize():
        command = token.contents.split()[0] if token.contents.split() else ""
        if until:
            if token.token_type == TokenType.BLOCK and command == until:
                until = ""
        elif token.token_type == TokenType.BLOCK and command in (
            "blocktranslate", "blocktrans", "comment",
        ):  # fmt: skip
            until = f"end{command}"
        elif token.token_type == TokenType.TEXT:
            plain.append(token.contents)
        elif token.token_type == TokenType.BLOCK and token.contents.endswith("_attributes"):
            # A block that a base template puts into a tag.
            plain.append("<i " if command == "block" else ">")
        elif token.token_type in (TokenType.BLOCK, TokenType.VAR):
            plain.append("0")
    reader = _Words()
    reader.feed("".join(plain))
    reader.close()
    return reader.found


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_has_words_that_cannot_be_translated(name: str) -> None:
    assert bare_words((ROOT / name).read_text()) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Hello</p>", ["Hello"]),
        ('<a title="Go on">{{ word }}</a>', ["Go on"]),
        ("<p>{% translate 'Hello' %} again</p>", ["0 again"]),
        ("{% blocktranslate %}Hello {{ name }}{% endblocktranslate %}", []),
        ("<p>{{ power }} kW · EVSE {{ number }}</p>", []),
        ("<code>Hello</code>{% comment %}Hello{% endcomment %}", []),
    ],
)
def test_words_that_are_not_wrapped_are_found(source: str, found: list[str]) -> None:
    assert bare_words(source) == found


@pytest.mark.parametrize("path", catalogues(), ids=lambda path: path.parent.parent.name)
def test_every_sentence_is_translated(path: Path) -> None:
    """`python -m cms.run.translations` takes new sentences into the catalogue."""
    assert missing(read_catalogue(path), list(find_messages())) == []


@pytest.mark.parametrize("path", catalogues(), ids=lambda path: path.parent.parent.name)
def test_translations_have_the_places_of_their_sentences(path: Path) -> None:
    """`%(name)s` that is misspelt or left out would fail on the page, or hide a number."""
    place = re.compile(r"%\([a-z_]+\)0?\d*[sd]|%%|<[^>]+>")
    for message in read_catalogue(path):
        if not message.id:
            continue
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        strings = [message.string] if isinstance(message.string, str) else list(message.string)
        allowed = {frozenset(place.findall(text)) for text in ids}
        for text in strings:
            assert frozenset(place.findall(text)) in allowed, text


def test_sentences_of_a_template_and_of_code_are_found(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/page.html").write_text(
        '<div>\n  {% translate "One" %}\n    {{ x|default:_("Two") }}\n{% blocktranslate count n=n trimmed %}\n'
        "  {{ n }} car\n{% plural %}\n  {{ n }} cars\n{% endblocktranslate %}</div>"
    )
    for app in translations.APPS:
        (tmp_path / app).mkdir()
    (tmp_path / "billing/choices.py").write_text(
        'X = _("Thr" "ee")\nY = pgettext("bank", "Four")\n'
    )
    found = {(text, context) for _name, text, context in find_messages(tmp_path)}
    assert found == {
        ("One", None),
        ("Two", None),
        (("%(n)s car", "%(n)s cars"), None),
        ("Three", None),
        ("Four", "bank"),
    }


def test_catalogues_keep_what_is_translated_and_lose_what_is_gone(tmp_path: Path) -> None:
    for app in translations.APPS:
        (tmp_path / app).mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "cms/words.py").write_text('_("Kept")\n_("New")\n')
    path = tmp_path / "locale/fr/LC_MESSAGES/django.po"
    path.parent.mkdir(parents=True)
    path.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "Kept"\nmsgstr "Gardé"\n\nmsgid "Gone"\nmsgstr "Parti"\n'
    )
    assert update_catalogues(tmp_path) == {"fr": ["New"]}
    catalogue = read_catalogue(path)
    assert {message.id: message.string for message in catalogue if message.id} == {
        "Kept": "Gardé",
        "New": "",
    }
    assert [made.name for made in compile_messages(tmp_path)] == ["django.mo"]
    assert compile_messages(tmp_path) == []  # nothing has changed


def test_a_fuzzy_or_half_translated_sentence_is_missing() -> None:
    catalogue = Catalog(locale="fr")
    catalogue.add("Sure", "Sûr")
    catalogue.add("Perhaps", "Peut-être", flags=["fuzzy"])
    catalogue.add(("%(n)s car", "%(n)s cars"), ("%(n)s voiture", ""))
    found = [("x", "Sure", None), ("x", "Perhaps", None), ("x", ("%(n)s car", "%(n)s cars"), None)]
    assert missing(catalogue, found) == ["%(n)s car", "Perhaps"]


def test_pages_speak_french(owner: Client) -> None:  # noqa: F811
    owner.cookies["django_language"] = "fr"
    page = owner.get("/operator/").content.decode()
    with translation.override("fr"):
        expected = translation.gettext("Needs attention")
    assert expected != "Needs attention"
    assert expected in page
    assert "Needs attention" not in page


def _literal_choices(tree: ast.AST) -> list[str]:
    """Labels of `choices=[…]`, `label=`, `help_text=` and `TextChoices` members given as plain strings."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in ("label", "help_text", "empty_label"):
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                found.append(node.value.value)
        elif isinstance(node, ast.keyword) and node.arg == "choices":
            for pair in getattr(node.value, "elts", []):
                word = pair.elts[1] if isinstance(pair, ast.Tuple) and len(pair.elts) == 2 else None
                if isinstance(word, ast.Constant) and isinstance(word.value, str):
                    found.append(word.value)
    return [word for word in found if set(re.findall(r"[^\W\d_]{2,}", word)) - PROPER]


@pytest.mark.parametrize(
    "path",
    sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "cms").rglob("*forms*.py")),
)
def test_forms_have_no_words_that_cannot_be_translated(path: str) -> None:
    allowed = {"Type 2", "CCS"}  # names of plugs
    assert set(_literal_choices(ast.parse((ROOT / path).read_text()))) <= allowed
