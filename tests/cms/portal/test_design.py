"""The design page, and what the tokens promise."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.choices import Role
from cms.portal.design import Contrast, contrast, contrasts
from tests.cms.portal.conftest import World
from tests.factories import make_membership, make_user

PATH = "/operator/design/"


@pytest.fixture
def staff(world: World) -> Client:
    """Platform staff who are in a team."""
    membership = make_membership(world.operator, Role.OWNER)
    membership.user.is_staff = True
    membership.user.save()
    client = Client()
    client.force_login(membership.user)
    return client


@pytest.mark.parametrize("pair", contrasts(), ids=lambda pair: f"{pair.ink}-on-{pair.ground}")
def test_every_pair_of_colours_has_enough_contrast_in_both_schemes(pair: Contrast) -> None:
    assert pair.light >= pair.needed
    assert pair.dark >= pair.needed


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)
    assert contrast("#777777", "#777777") == 1


def test_staff_see_every_piece(staff: Client) -> None:
    page = staff.get(PATH).content.decode()
    for piece in (
        "pill--bad", "evse--charging", "timeline__item--warn", "empty__title", "failure__title",
        "searchbox", 'aria-sort="ascending"', 'rel="next"', "data-dialog", "data-toast=",
        "<progress", "skeleton", 'aria-current="page"', "errorlist", "data-copy-from", "step--now",
    ):  # fmt: skip
        assert piece in page, piece
    assert "style=" not in page  # the policy would refuse it


def test_staff_without_a_team_see_it_too(db: None) -> None:
    client = Client()
    client.force_login(make_user(is_staff=True))
    assert client.get(PATH).status_code == 200


def test_the_sample_question_says_what_will_happen(staff: Client) -> None:
    page = staff.get(PATH, {"part": "confirm"}).content.decode()
    assert "data-dialog-content" in page
    assert "ends and is billed up to now" in page


def test_nobody_else_sees_it(owner: Client, viewer: Client, driver_client: Client) -> None:
    for client in (owner, viewer, driver_client):
        assert client.get(PATH).status_code == 403
    assert Client().get(PATH).status_code == 302


def test_a_choice_of_language_is_kept_and_leads_back(
    world: World, owner: Client, client_as: Callable[..., Client]
) -> None:
    answer = owner.post("/language/", {"language": "fr", "next": "/operator/?show=online"})
    assert answer.headers["Location"] == "/operator/?show=online"
    page = owner.get("/operator/").content.decode()
    assert '<html lang="fr">' in page
    assert 'lang="en">English<' in page  # in its own words
    assert '<html lang="en">' in client_as(world.operator).get("/operator/").content.decode()


def test_a_choice_of_language_leads_nowhere_else(owner: Client) -> None:
    answer = owner.post("/language/", {"language": "fr", "next": "https://evil.example/"})
    assert "evil" not in answer.headers["Location"]


def test_the_sign_in_page_can_be_read_in_french(db: None) -> None:
    client = Client()
    page = client.get("/login/").content.decode()
    assert 'value="fr" lang="fr">Français<' in page
    assert 'name="next" value="/login/"' in page
