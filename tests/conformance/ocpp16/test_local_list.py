"""Local authorisation lists: TC_042_1, 042_2, 043_1, 043_3, 043_4, 043_5 of OCPP 1.6, and what follows a token."""

from typing import Any

import pytest

from tests.conformance.site import Registered, Site, unique, until
from tests.conformance.wire import WireStation

Row = dict[str, Any]


async def local_list(site: Site, station: Registered) -> Row:
    row: Row = await site.rest.get(f"{station.path}local-list/")
    return row


async def settled(site: Site, station: Registered, **wanted: Any) -> Row:
    """The list once it is as wanted."""

    async def find() -> Row | None:
        now = await local_list(site, station)
        return now if all(now[name] == value for name, value in wanted.items()) else None

    found = await until(find)
    assert found is not None
    return found


async def send(site: Site, station: Registered, kind: str) -> Row:
    row: Row = await site.rest.post(f"{station.path}local-list/", {"type": kind}, status=202)
    return row


async def give_list(site: Site, wire: WireStation, station: Registered) -> Row:
    """The list of all tokens, as sent and accepted."""
    command = await send(site, station, "full")
    sent = await wire.take("SendLocalList")
    assert (await site.ended(command))["status"] == "accepted"
    await settled(site, station, version=sent["listVersion"])
    return sent


@pytest.mark.parametrize(("case", "version"), [("tc_042_1", -1), ("tc_042_2", 0)])
async def test_tc_042_get_version(site: Site, case: str, version: int) -> None:
    station = await site.make_station()
    assert (await local_list(site, station))["version"] is None
    async with site.connect(station) as wire:
        command = await site.ask(station, "GetLocalListVersion")
        assert await wire.take("GetLocalListVersion", {"listVersion": version}) == {}
        done = await site.ended(command)
        assert (done["status"], done["response"]) == ("accepted", {"listVersion": version})
        await settled(site, station, version=version, entries=[], refusal=None)


@pytest.mark.parametrize(("case", "said"), [("tc_043_1", "NotSupported"), ("tc_043_3", "Failed")])
async def test_tc_043_send_refused(site: Site, case: str, said: str) -> None:
    station = await site.make_station()
    tag = await site.make_id_token()
    async with site.connect(station) as wire:
        sent = await give_list(site, wire, station)
        before = await local_list(site, station)
        await site.make_id_token()
        command = await send(site, station, "full")
        again = await wire.take("SendLocalList", {"status": said})
        assert again["listVersion"] > sent["listVersion"]
        done = await site.ended(command)
        assert (done["status"], done["response"]) == ("rejected", {"status": said})
        after = await settled(site, station, refusal=said)
        assert await wire.is_heard()
        assert wire.calls.empty()
    assert (after["version"], after["entries"]) == (before["version"], before["entries"])
    assert [entry["idTag"] for entry in after["entries"]] == [tag]


async def test_tc_043_4_full(site: Site) -> None:
    station = await site.make_station()
    tags = [await site.make_id_token(), await site.make_id_token(expires_at="2999-01-01T00:00:00Z")]
    blocked = await site.make_id_token(status="blocked")
    async with site.connect(station) as wire:
        await send(site, station, "full")
        sent = await wire.take("SendLocalList")
        assert sent["updateType"] == "Full"
        assert sent["listVersion"] > 0
        infos = {item["idTag"]: item["idTagInfo"] for item in sent["localAuthorizationList"]}
        assert set(infos) == set(tags)
        assert blocked not in infos
        assert infos[tags[0]] == {"status": "Accepted"}
        assert infos[tags[1]]["expiryDate"] == "2999-01-01T00:00:00Z"
        await settled(
            site,
            station,
            version=sent["listVersion"],
            entries=sent["localAuthorizationList"],
            refusal=None,
        )


async def test_tc_043_4_a_full_list_without_what_cards_may_do_is_not_sent(site: Site) -> None:
    station = await site.make_station()
    async with site.connect(station) as wire:
        payload = {"updateType": "Full", "localAuthorizationList": [{"idTag": "A"}]}
        refused = await site.rest.post(
            f"{station.path}commands/", {"action": "SendLocalList", "payload": payload}, status=400
        )
        assert list(refused["data"]["fields"]) == ["payload.localAuthorizationList"]
        assert await wire.is_heard()
        assert wire.calls.empty()


async def test_tc_043_5_differential(site: Site) -> None:
    station = await site.make_station()
    stays = await site.make_id_token()
    async with site.connect(station) as wire:
        first = await give_list(site, wire, station)
        new = await site.make_id_token()
        command = await send(site, station, "differential")
        sent = await wire.take("SendLocalList")
        assert sent["updateType"] == "Differential"
        assert sent["listVersion"] > first["listVersion"]
        assert sent["localAuthorizationList"] == [
            {"idTag": new, "idTagInfo": {"status": "Accepted"}}
        ]
        assert (await site.ended(command))["status"] == "accepted"
        after = await settled(site, station, version=sent["listVersion"])
    assert {entry["idTag"] for entry in after["entries"]} == {stays, new}


async def test_a_blocked_card_is_told_to_the_station_that_holds_it(site: Site) -> None:
    station = await site.make_station()
    tag = unique("TAG")
    token = await site.rest.post("/id-tokens/", {"uid": tag})
    async with site.connect(station) as wire:
        first = await give_list(site, wire, station)
        await site.rest.patch(f"/id-tokens/{token['id']}/", {"status": "blocked"})
        sent = await wire.take("SendLocalList")
        entry = {"idTag": tag, "idTagInfo": {"status": "Blocked"}}
        assert sent["listVersion"] > first["listVersion"]
        assert (sent["updateType"], sent["localAuthorizationList"]) == ("Differential", [entry])
        await settled(site, station, version=sent["listVersion"], entries=[entry])


async def test_after_a_version_mismatch_the_whole_list_follows(site: Site) -> None:
    station = await site.make_station()
    await site.make_id_token()
    async with site.connect(station) as wire:
        await give_list(site, wire, station)
        await site.make_id_token()
        await send(site, station, "differential")
        await wire.take("SendLocalList", {"status": "VersionMismatch"})
        whole = await wire.take("SendLocalList")
        assert whole["updateType"] == "Full"
        assert len(whole["localAuthorizationList"]) == 2
        await settled(site, station, version=whole["listVersion"], refusal=None)


async def test_a_long_list_goes_in_the_parts_that_the_station_can_take(site: Site) -> None:
    station = await site.make_station()
    tags = [await site.make_id_token() for _ in range(3)]
    keys = [{"key": "SendLocalListMaxLength", "readonly": True, "value": "2"}]
    async with site.connect(station) as wire:
        await site.ask(station, "GetConfiguration")
        await wire.take("GetConfiguration", {"configurationKey": keys})

        async def known() -> list[Row]:
            return await site.rest.rows(f"{station.path}variables/")

        await until(known)
        await send(site, station, "full")
        parts = [await wire.take("SendLocalList"), await wire.take("SendLocalList")]
        await settled(site, station, version=parts[1]["listVersion"], command=None)
    assert [part["updateType"] for part in parts] == ["Full", "Differential"]
    sent = [entry["idTag"] for part in parts for entry in part["localAuthorizationList"]]
    assert sorted(sent) == sorted(tags)
