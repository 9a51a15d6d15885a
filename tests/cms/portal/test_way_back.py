"""Whoever answers a question is where they came from afterwards."""

import pytest
from django.test import Client, RequestFactory

from cms.portal.way_back import way_back
from tests.cms.portal.conftest import World

OVERVIEW = "/operator/"
REFUSALS = "/operator/handshakes/?state=all"


@pytest.mark.parametrize("before", [OVERVIEW, REFUSALS])
def test_a_refusal_leads_back_to_the_page_it_was_opened_from(
    world: World, owner: Client, before: str
) -> None:
    path = f"/operator/handshakes/{world.failure.pk}/"
    page = owner.get(path, headers={"Referer": f"http://testserver{before}"})
    assert page.context["back"] == before
    assert f'name="next" value="{before}"' in page.content.decode()
    sent = owner.post(
        f"{path}dismiss/", {"next": before}, headers={"Referer": f"http://testserver{path}"}
    )
    assert sent.url == before  # type: ignore[attr-defined]


def test_an_unknown_card_leads_back_to_the_page_it_was_opened_from(
    world: World, owner: Client
) -> None:
    path = f"/operator/unknown-id-tokens/{world.unknown_id_token.pk}/"
    before = "/operator/unknown-id-tokens/"
    page = owner.get(path, headers={"Referer": f"http://testserver{before}"})
    assert f'name="next" value="{before}"' in page.content.decode()
    sent = owner.post(path, {"status": "accepted", "next": before})
    assert sent.url == before  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "referer",
    [
        "",
        "https://elsewhere.example/operator/",
        "http://testserver/login/?next=/operator/",
        "http://testserver/operator/asked/",
        "//elsewhere.example/operator/",
        "javascript:alert(1)",
    ],
)
def test_elsewhere_the_sign_in_and_the_question_itself_are_no_way_back(referer: str) -> None:
    headers = {"Referer": referer} if referer else {}
    by_link = RequestFactory().get("/operator/asked/", headers=headers)
    by_form = RequestFactory().post("/operator/asked/", {"next": referer})
    assert (way_back(by_link), way_back(by_form)) == (OVERVIEW, OVERVIEW)
