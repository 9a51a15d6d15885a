"""Headers of proxies: believed from the trusted, dropped from anybody else."""

from typing import Any

import pytest

from cms.proxy import TrustedProxyMiddleware


async def through(trusted: list[str], scope: dict[str, Any]) -> dict[str, Any]:
    """The scope as the application behind the middleware sees it."""
    seen: list[dict[str, Any]] = []

    async def application(scope, receive, send):
        seen.append(scope)

    await TrustedProxyMiddleware(application, trusted)(scope, None, None)
    return seen[0]


def request(*headers: tuple[bytes, bytes], client: Any = ("10.0.0.1", 1), kind: str = "http"):
    scheme = {"http": "http", "websocket": "ws"}[kind]
    return {"type": kind, "scheme": scheme, "client": client, "headers": list(headers)}


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (b"203.0.113.9", "203.0.113.9"),
        (b"1.1.1.1, 203.0.113.9", "203.0.113.9"),
        (b"1.1.1.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
        (b"203.0.113.9:4711", "203.0.113.9"),
        (b"[2001:db8::1]:4711", "2001:db8::1"),
        (b"2001:db8::1", "2001:db8::1"),
        (b"::ffff:203.0.113.9", "203.0.113.9"),
        (b"10.0.0.8, 10.0.0.7", "10.0.0.8"),
        (b"unknown, 10.0.0.7", "10.0.0.7"),
        (b"unknown", "10.0.0.1"),
        (b"", "10.0.0.1"),
    ],
)
async def test_client_is_the_nearest_hop_that_is_no_proxy_of_ours(
    forwarded: bytes, client: str
) -> None:
    scope = await through(["10.0.0.0/8"], request((b"x-forwarded-for", forwarded)))
    assert scope["client"][0] == client


async def test_repeated_headers_are_one_list() -> None:
    scope = await through(
        ["10.0.0.0/8"],
        request((b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"203.0.113.9")),
    )
    assert scope["client"] == ("203.0.113.9", 0)


@pytest.mark.parametrize(
    ("kind", "word", "scheme"),
    [
        ("http", b"https", "https"),
        ("websocket", b"https", "wss"),
        ("websocket", b"wss", "wss"),
        ("websocket", b"http, https", "wss"),
        ("http", b"https, http", "http"),
        ("http", b"gopher", "http"),
    ],
)
async def test_scheme_follows_the_proxys_own_word(kind: str, word: bytes, scheme: str) -> None:
    scope = await through(["10.0.0.1"], request((b"x-forwarded-proto", word), kind=kind))
    assert scope["scheme"] == scheme


async def test_strangers_are_not_believed_under_any_spelling() -> None:
    headers = (
        (b"x-forwarded-proto", b"https"),
        (b"X-Forwarded-For", b"203.0.113.9"),
        (b"x_forwarded_for", b"203.0.113.9"),
        (b"x-client-cert", b"x"),
        (b"host", b"example.org"),
    )
    for client in (("192.0.2.1", 1), None, ("not an address", 1)):
        scope = await through(["10.0.0.1"], request(*headers, client=client))
        assert scope["headers"] == [(b"host", b"example.org")]
        assert scope["scheme"] == "http"
        assert scope["client"] == client


async def test_a_trusted_proxy_passes_no_lookalikes_on() -> None:
    scope = await through(
        ["10.0.0.1"],
        request((b"x_forwarded_proto", b"https"), (b"x-forwarded-for", b"203.0.113.9")),
    )
    assert scope["headers"] == [(b"x-forwarded-for", b"203.0.113.9")]
    assert scope["scheme"] == "http"


async def test_peers_on_a_unix_socket_are_trusted_by_name() -> None:
    header = (b"x-forwarded-for", b"203.0.113.9")
    assert (await through(["unix"], request(header, client=None)))["client"][0] == "203.0.113.9"


@pytest.mark.parametrize("value", [b"nonsense", b"%00", b"%ff", b"x" * 100_000])
async def test_a_bad_certificate_is_an_error_in_the_tls_extension(value: bytes) -> None:
    scope = await through(["10.0.0.1"], request((b"x-client-cert", value)))
    assert scope["extensions"]["tls"]["client_cert_chain"] == []
    assert scope["extensions"]["tls"]["client_cert_error"]


async def test_the_callers_scope_is_left_as_it_was() -> None:
    scope = request((b"x-forwarded-for", b"203.0.113.9"))
    before = {**scope, "headers": list(scope["headers"])}
    await through(["10.0.0.1"], scope)
    assert scope == before


def test_nonsense_among_the_trusted_is_refused() -> None:
    with pytest.raises(ValueError, match="not-a-network"):
        TrustedProxyMiddleware(None, ["not-a-network"])
