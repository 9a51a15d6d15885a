"""What the pages say."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.choices import Role
from stations.models import HandshakeFailure
from tests.cms.portal.conftest import World, make_world
from tests.factories import (
    make_connector,
    make_gateway,
    make_handshake_failure,
    make_message,
    make_operator,
    make_state,
    make_station,
)


def text(client: Client, path: str, **headers: str) -> str:
    """What a person reads there, blanks folded."""
    response = client.get(path, headers=headers or None)
    assert response.status_code == 200, path
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", response.content.decode(), flags=re.S)
    words = re.sub(r"<[^>]+>", " ", body).replace("\xa0", " ")
    return re.sub(r"\s+", " ", words)


def test_the_overview_shows_what_charges_and_what_is_wrong(world: World, owner: Client) -> None:
    page = text(owner, "/operator/")
    assert "1 vehicle connected · 11.0 kW" in page
    # 5.5 kWh at 0.40 EUR and 20 % VAT.
    for words in ("Ada Example", "11.0 kW", "5.50 kWh", "48 %"):
        assert words in page
    assert "2.64 EUR" in page
    assert "Faulted Current leaked to earth" in page
    assert "GroundFailure" not in page
    assert "was not let in: The password is wrong." in page
    assert "waits for a review before it is billed" in page


@pytest.mark.parametrize(
    ("show", "seen"),
    [("", True), ("online", True), ("charging", True), ("faulted", True), ("offline", False)],
)
def test_each_figure_filters_the_stations(
    world: World, owner: Client, show: str, seen: bool
) -> None:
    lost = make_station(world.operator)
    stations = _region(owner.get(f"/operator/?show={show}").content.decode(), "stations")
    assert (world.station.identity in stations) is seen
    assert (lost.identity in stations) is (show in ("", "offline"))


def test_a_station_whose_gateway_died_is_offline_and_its_status_not_believed(
    world: World, owner: Client
) -> None:
    lost = make_station(world.operator)
    make_connector(lost)
    make_state(lost, gateway=make_gateway(lease=timedelta(minutes=-1)))
    assert "Offline" in text(owner, f"/operator/stations/{lost.identity}/")


def test_a_new_operator_is_told_how_to_begin(client_as: Callable[..., Client]) -> None:
    # What nobody knows that knocks concerns every owner; other tests' stations may have.
    HandshakeFailure.objects.filter(operator=None).delete()
    client = client_as(make_operator(), Role.OWNER)
    overview = text(client, "/operator/")
    assert "From here to the first session" in overview
    assert "Add a station" in overview
    assert "/ocpp/" in overview
    assert "was not let in" not in overview
    assert "There are no sessions yet." in text(client, "/operator/sessions/")


def test_a_station_that_was_never_seen_has_a_page(
    world: World, client_as: Callable[..., Client]
) -> None:
    station = make_station(world.operator, identity="Bay 4 | north+1@x=*")
    client = client_as(world.operator, Role.OWNER)
    page = text(client, "/operator/stations/Bay%204%20%7C%20north%2B1%40x%3D%2A/")
    assert station.identity in page
    assert "Not reported yet" in page


def test_the_lines_of_a_session_add_up_on_its_page(world: World, owner: Client) -> None:
    page = text(owner, f"/operator/sessions/{world.completed.pk}/")
    # 10 kWh at 0.40 EUR net and 20 % VAT.
    assert "4.00 EUR 0.80 EUR 4.80 EUR 10 kWh × 0.40 EUR = 4.00 EUR;" in page
    assert "Total 4.00 EUR 0.80 EUR 4.80 EUR" in page
    assert "CDR-" in page
    assert "Europe/Berlin" in page


def test_a_session_shows_its_power_and_its_frames(world: World, owner: Client) -> None:
    page = owner.get(f"/operator/sessions/{world.completed.pk}/").content.decode()
    assert re.search(r'<polyline points="[\d., ]+">', page)
    assert "StartTransaction" in page


def test_a_review_gives_its_reasons_and_a_form_to_those_who_may(
    world: World, owner: Client, client_as: Callable[..., Client]
) -> None:
    path = f"/operator/sessions/{world.in_review.pk}/"
    assert "The station never reported a stop." in text(owner, path)
    assert 'name="reason"' in owner.get(path).content.decode()
    technician = client_as(world.operator, Role.TECHNICIAN)
    assert "may not release sessions" in text(technician, path)
    assert 'name="reason"' not in technician.get(path).content.decode()


def test_the_trace_shows_what_a_station_sent_as_text_and_not_as_markup(
    world: World, owner: Client
) -> None:
    make_message(
        world.station, action="DataTransfer", payload='{"data":"<script>alert(1)</script>"}'
    )
    page = owner.get(f"/operator/stations/{world.station.identity}/trace/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_a_fragment_is_the_page_without_its_frame(world: World, owner: Client) -> None:
    for path in ("/operator/", f"/operator/stations/{world.station.identity}/"):
        whole = owner.get(path)
        part = owner.get(path, headers={"HX-Request": "true"})
        assert b"<html" in whole.content
        assert b"<html" not in part.content
        assert "HX-Request" in whole.headers["Vary"]
        regions = _live_regions(whole.content.decode())
        assert regions
        assert regions == _live_regions(part.content.decode())


def test_no_page_needs_an_inline_script_or_style(world: World, owner: Client) -> None:
    for path in ["/operator/", "/operator/sessions/", "/login/", *world.paths]:
        page = owner.get(path).content.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=", page), path
        assert not re.search(r"<script(?![^>]*\ssrc=)", page), path


def test_more_stations_and_sessions_cost_no_more_queries(world: World, owner: Client) -> None:
    def queries(path: str) -> int:
        owner.get(path)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert owner.get(path).status_code == 200
        return len(captured)

    paths = ["/operator/", "/operator/sessions/"]
    before = {path: queries(path) for path in paths}
    for _ in range(3):
        make_world(world.operator)
    assert {path: queries(path) for path in paths} == before
    assert before["/operator/"] <= 30
    assert before["/operator/sessions/"] <= 12


def test_lists_turn_their_pages_by_key(
    world: World, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cms.portal.selectors.STATIONS_PER_PAGE", 2)
    monkeypatch.setattr("cms.portal.paging.PER_PAGE", 2)
    identities = sorted(
        [world.station.identity, *(make_station(world.operator).identity for _ in range(3))]
    )
    first = _region(owner.get("/operator/").content.decode(), "stations")
    assert [identity in first for identity in identities] == [True, True, False, False]
    second = _region(owner.get(f"/operator/?after={identities[1]}").content.decode(), "stations")
    assert [identity in second for identity in identities] == [False, False, True, True]

    sessions = owner.get("/operator/sessions/").content.decode()
    before = re.search(r"before=(\d+)", sessions)
    assert before is not None
    rest = owner.get(f"/operator/sessions/?before={before[1]}").content.decode()
    assert len(set(re.findall(r'href="/operator/sessions/(\d+)/"', rest))) == 1


def test_refusals_of_unknown_stations_are_for_those_who_may_adopt(
    world: World, owner: Client, viewer: Client
) -> None:
    failure = make_handshake_failure()
    assert failure.identity in text(owner, "/operator/")
    assert failure.identity not in text(viewer, "/operator/")
    assert viewer.get(f"/operator/handshakes/{failure.pk}/").status_code == 404


def _region(page: str, name: str) -> str:
    """From the element with this id to the end of its section."""
    found = re.search(rf'<section[^>]*id="{name}".*?</section>', page, flags=re.S)
    assert found is not None
    return found[0]


def _live_regions(page: str) -> set[str]:
    """The ids of what `live.js` swaps."""
    return set(re.findall(r'id="([\w-]+)" data-live[ =>]', page))
