"""The readers of the environment fail loudly, and `.env.example` explains exactly what is read."""

import re

import pytest
from django.core.exceptions import ImproperlyConfigured

from cms.run.children import ROOT
from cms.settings.readers import (
    env_bool,
    env_int,
    env_list,
    env_str,
    parse_database_url,
    parse_email_url,
)

# Read outside the settings: by Django itself, by `make run` and by compose.yaml.
NOT_OF_THE_SETTINGS = {
    "DJANGO_SETTINGS_MODULE",
    "HOST",
    "PORT",
    "FLEET",
    "POSTGRES_PASSWORD",
    "SITE_ADDRESS",
}


def test_text_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("GREETING", "hello")
    assert env_str("GREETING", "default") == "hello"


def test_unset_text_is_the_default(monkeypatch):
    monkeypatch.delenv("GREETING", raising=False)
    assert env_str("GREETING", "default") == "default"


def test_secret_comes_from_the_file_that_its_variable_names(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("kept in a file\n", encoding="utf-8")
    monkeypatch.delenv("GREETING", raising=False)
    monkeypatch.setenv("GREETING_FILE", str(tmp_path / "secret"))
    assert env_str("GREETING", "default") == "kept in a file"


def test_variable_wins_over_its_file(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("file", encoding="utf-8")
    monkeypatch.setenv("GREETING_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("GREETING", "variable")
    assert env_str("GREETING", "default") == "variable"


def test_missing_secret_file_is_an_error_and_not_the_default(monkeypatch, tmp_path):
    monkeypatch.delenv("GREETING", raising=False)
    monkeypatch.setenv("GREETING_FILE", str(tmp_path / "missing"))
    with pytest.raises(FileNotFoundError):
        env_str("GREETING", "default")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("1", True),
        ("TRUE", True),
        ("yes", True),
        ("On", True),
        ("0", False),
        ("false", False),
        ("NO", False),
        ("off", False),
        ("", False),
    ],
)
def test_yes_and_no_in_their_spellings(monkeypatch, raw, value):
    monkeypatch.setenv("SWITCH", raw)
    assert env_bool("SWITCH", not value) is value


@pytest.mark.parametrize("default", [True, False])
def test_unset_switch_is_the_default(monkeypatch, default):
    monkeypatch.delenv("SWITCH", raising=False)
    assert env_bool("SWITCH", default) is default


@pytest.mark.parametrize("raw", ["2", "maybe", "ture", " 1"])
def test_neither_yes_nor_no_is_refused(monkeypatch, raw):
    monkeypatch.setenv("SWITCH", raw)
    with pytest.raises(ImproperlyConfigured, match="SWITCH must be 1 or 0"):
        env_bool("SWITCH", False)


@pytest.mark.parametrize(("raw", "value"), [("12", 12), ("-3", -3), ("", 7), (None, 7)])
def test_whole_numbers(monkeypatch, raw, value):
    if raw is None:
        monkeypatch.delenv("COUNT", raising=False)
    else:
        monkeypatch.setenv("COUNT", raw)
    assert env_int("COUNT", 7) == value


@pytest.mark.parametrize("raw", ["1.5", "ten", "1e3", "0x10"])
def test_anything_but_a_whole_number_is_refused(monkeypatch, raw):
    monkeypatch.setenv("COUNT", raw)
    with pytest.raises(ImproperlyConfigured, match="COUNT must be a whole number"):
        env_int("COUNT", 7)


@pytest.mark.parametrize(
    ("raw", "value"),
    [("a,b", ["a", "b"]), (" a , b ,", ["a", "b"]), ("", []), (",", []), (None, ["default"])],
)
def test_lists_are_separated_by_commas(monkeypatch, raw, value):
    if raw is None:
        monkeypatch.delenv("HOSTS", raising=False)
    else:
        monkeypatch.setenv("HOSTS", raw)
    assert env_list("HOSTS", ["default"]) == value


def test_database_address_with_host_and_port():
    entry = parse_database_url("postgresql://me:p%40ss@db.example:6543/charge%20it?sslmode=require")
    assert entry == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "charge it",
        "USER": "me",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": "6543",
        "OPTIONS": {"sslmode": "require"},
    }


def test_database_address_with_a_unix_socket():
    entry = parse_database_url("postgres://me:secret@/magetsi?host=/run/a%20b&port=5433")
    assert (entry["HOST"], entry["PORT"], entry["OPTIONS"]) == ("/run/a b", "5433", {})


def test_empty_database_address_connects_to_nothing_yet():
    entry = parse_database_url("")
    assert entry == {"ENGINE": "django.db.backends.postgresql", "NAME": "magetsi"}


@pytest.mark.parametrize("url", ["mysql://me@db/magetsi", "sqlite:///magetsi.db", "db.example"])
def test_other_databases_are_refused(url):
    with pytest.raises(ImproperlyConfigured, match="must begin with postgresql://"):
        parse_database_url(url)


def test_example_explains_every_variable_that_the_settings_read_and_no_other():
    read = set()
    for path in (ROOT / "cms/settings").glob("*.py"):
        read |= set(re.findall(r"\benv_\w+\(\s*\"([A-Z0-9_]+)\"", path.read_text(encoding="utf-8")))
    assert read, "the settings read nothing?"
    assert explained().keys() - NOT_OF_THE_SETTINGS == read


def test_example_has_a_sentence_for_each_variable():
    too_short = [name for name, words in explained().items() if len(words.split()) < 4]
    assert too_short == []


def explained():
    """Variable → the comment above it. A comment stands above the variables that follow it at once."""
    found, words = {}, []
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        if matched := re.fullmatch(r"(?:#)?([A-Z][A-Z0-9_]*)=.*", line):
            found[matched[1]] = " ".join(words)
            words = []
        elif line.startswith("# "):
            words.append(line[2:])
        else:
            words = []
    return found


def test_email_url():
    assert parse_email_url("")["EMAIL_BACKEND"].endswith("console.EmailBackend")
    plain = parse_email_url("smtp://me:p%40ss@mail.example:587")
    assert (plain["EMAIL_HOST"], plain["EMAIL_PORT"]) == ("mail.example", 587)
    assert (plain["EMAIL_HOST_USER"], plain["EMAIL_HOST_PASSWORD"]) == ("me", "p@ss")
    assert (plain["EMAIL_USE_TLS"], plain["EMAIL_USE_SSL"]) == (True, False)
    secure = parse_email_url("smtps://mail.example")
    assert (secure["EMAIL_PORT"], secure["EMAIL_USE_TLS"], secure["EMAIL_USE_SSL"]) == (
        465,
        False,
        True,
    )
    with pytest.raises(ImproperlyConfigured):
        parse_email_url("imap://mail.example")
