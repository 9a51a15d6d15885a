"""Moments in the order and the words of the reader's language, by the site's clock."""

from datetime import UTC, datetime

import pytest
from django.utils import translation

from cms.portal.templatetags.magetsi import at, protocol_name

MOMENT = datetime(2026, 3, 5, 23, 4, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "style", "words"),
    [
        ("en", "", "6 Mar 2026, 00:04"),
        ("en", "short", "6 Mar, 00:04"),
        ("en", "seconds", "6 Mar 2026, 00:04:07"),
        ("en", "clock", "00:04:07"),
        ("fr", "", "6 mars 2026, 00:04"),
        ("de", "short", "6. März, 00:04"),
        ("en-us", "short", "Mar 6, 00:04"),
    ],
)
def test_a_moment_is_written_as_its_reader_does(language: str, style: str, words: str) -> None:
    with translation.override(language):
        assert at(MOMENT, "Europe/Berlin", style) == (
            f'<time datetime="2026-03-05T23:04:07+00:00">{words}</time>'
        )


def test_no_moment_is_a_dash_and_an_unknown_style_an_error() -> None:
    assert at(None) == "–"
    with pytest.raises(ValueError, match="fortnight"):
        at(MOMENT, "UTC", "fortnight")


def test_a_protocol_bears_its_own_name() -> None:
    assert protocol_name("ocpp2.0.1") == "OCPP\u00a02.0.1"
    assert protocol_name("") == ""
