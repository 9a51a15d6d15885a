"""Our CA, trusted CAs, certificates and security events over REST: roles, tenants, what is refused."""

import pytest
from django.utils import timezone

from accounts.choices import Role
from stations.models import SecurityEvent, StationCertificate, TrustedCA
from tests.api import Api, fields_of
from tests.conformance.pki import make_ca
from tests.factories import (
    make_api_key,
    make_operator,
    make_security_event,
    make_station,
    make_station_certificate,
)

pytestmark = pytest.mark.django_db


def test_our_ca_is_text_for_whoever_has_a_key() -> None:
    response = Api(make_api_key(make_operator(), Role.VIEWER)).get("/ca/")
    assert response["Content-Type"].startswith("application/x-pem-file")
    assert response.content.startswith(b"-----BEGIN CERTIFICATE-----")
    assert b"PRIVATE" not in response.content
    refused = Api(None).get("/ca/")
    assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated")


def test_a_trusted_ca_is_added_shown_and_removed_by_its_operator_alone() -> None:
    operator = make_operator()
    api, stranger = Api(make_api_key(operator)), Api(make_api_key(make_operator()))
    ca = make_ca()
    body = {"name": "Maker", "pem": ca.pem}
    row = api.post("/trusted-cas/", body).json()
    assert (row["name"], row["pem"]) == ("Maker", ca.pem)
    assert len(row["fingerprint"]) == 64
    assert api.post("/trusted-cas/", body).status_code == 409
    # What one operator trusts is nobody else's business, and the same CA may be trusted twice.
    assert stranger.post("/trusted-cas/", body).status_code == 201
    assert stranger.get(f"/trusted-cas/{row['id']}/").status_code == 404
    assert stranger.send("DELETE", f"/trusted-cas/{row['id']}/").status_code == 404
    viewer = Api(make_api_key(operator, Role.VIEWER))
    assert viewer.get(f"/trusted-cas/{row['id']}/").json() == row
    assert viewer.post("/trusted-cas/", body).status_code == 403
    assert viewer.send("DELETE", f"/trusted-cas/{row['id']}/").status_code == 403
    assert api.send("DELETE", f"/trusted-cas/{row['id']}/").status_code == 204
    assert api.results("/trusted-cas/") == []
    assert TrustedCA.objects.filter(fingerprint=row["fingerprint"]).count() == 1


def test_what_is_no_ca_is_not_trusted() -> None:
    api = Api(make_api_key(make_operator()))
    ca = make_ca()
    for pem in (
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        ca.issue("leaf").pem,
        make_ca(days=(-20, -10)).pem,
        ca.pem + make_ca().pem,
    ):
        fields = fields_of(api.post("/trusted-cas/", {"name": "x", "pem": pem}))
        assert list(fields) == ["pem"], pem
    for body in ({"name": "x"}, {"pem": ca.pem}, {"name": "x", "pem": 5}, {"name": "", "pem": "x"}):
        assert api.post("/trusted-cas/", body).status_code == 400
    assert api.results("/trusted-cas/") == []


def test_a_certificate_is_revoked_by_who_may() -> None:
    station = make_station()
    row = make_station_certificate(station)
    path = f"/stations/{station.identity}/certificates/"
    api = Api(make_api_key(station.operator))
    [shown] = api.results(path)
    assert (shown["id"], shown["use"], shown["pem"]) == (str(row.pk), "client", None)
    revoke = f"{path}{row.pk}/revoke/"
    assert Api(make_api_key(station.operator, Role.SUPPORT)).post(revoke).status_code == 403
    assert Api(make_api_key(make_operator())).post(revoke).status_code == 404
    other = make_station_certificate(make_station(station.operator))
    assert api.post(f"{path}{other.pk}/revoke/").status_code == 404
    assert api.post(f"{path}x/revoke/").status_code == 404
    done = api.post(revoke)
    assert (done.status_code, done.json()["revoked_at"] is not None) == (200, True)
    root = make_station_certificate(station, use="manufacturer_root")
    assert api.post(f"{path}{root.pk}/revoke/").status_code == 409
    assert StationCertificate.objects.filter(station=station, revoked_at=None).count() == 1


def test_events_are_filtered_and_seen_within_the_operator() -> None:
    station = make_station()
    seen = make_security_event(station, acknowledged_at=timezone.now())
    alarm = make_security_event(station)
    note = make_security_event(station, type="InvalidMessages", critical=False)
    make_security_event(make_station())
    api = Api(make_api_key(station.operator))

    def ids(**filters: str) -> list[int]:
        return [int(row["id"]) for row in api.results("/security-events/", **filters)]

    assert ids() == [note.pk, alarm.pk, seen.pk]
    assert ids(critical="true", acknowledged="false") == [alarm.pk]
    assert ids(acknowledged="true") == [seen.pk]
    assert ids(type="InvalidMessages", station=station.identity) == [note.pk]
    assert ids(station="nobody") == []
    assert api.get("/security-events/", critical="yes").status_code == 400
    path = f"/security-events/{alarm.pk}/acknowledge/"
    assert Api(make_api_key(make_operator())).post(path).status_code == 404
    assert Api(make_api_key(station.operator, Role.VIEWER)).post(path).status_code == 403
    assert api.post(path).status_code == 200
    assert ids(critical="true", acknowledged="false") == []
    assert SecurityEvent.objects.filter(pk=note.pk, acknowledged_at=None).exists()
