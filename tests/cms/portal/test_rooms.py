"""The band: every room at a glance, on a phone behind the name of the current one."""

import re

from django.test import Client

from cms.portal.templatetags.rooms import rooms
from tests.cms.portal.conftest import World


def _menu(page: str) -> tuple[str, list[str]]:
    """What the phone's menu is called, and where it leads."""
    found = re.search(r'<details class="menu rooms-menu".*?</details>', page, re.S)
    assert found
    summary, links = found[0].split("</summary>")
    return re.sub(r"<[^>]+>", "", summary).strip(), re.findall(r'href="([^"]+)"', links)


def test_the_phones_menu_names_the_room_and_leads_to_all(world: World, owner: Client) -> None:
    name, links = _menu(owner.get("/operator/stations/").content.decode())
    assert name == "Rooms: Stations"
    assert links == [room.href for room in rooms({})]
    for link in links:
        band = owner.get(link).content.decode().partition("</header>")[0]
        assert band.count(f'href="{link}" aria-current="page"') == 2, link


def test_a_question_about_a_refusal_is_in_its_room(world: World, owner: Client) -> None:
    page = owner.get(f"/operator/handshakes/{world.failure.pk}/").content.decode()
    assert _menu(page)[0] == "Rooms: Refusals"


def test_a_page_in_no_room_still_has_the_menu(world: World, admin_client: Client) -> None:
    page = admin_client.get("/operator/design/").content.decode()
    assert _menu(page)[0] == "Rooms"
