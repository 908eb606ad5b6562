"""Which hosts may be reached while a song is fetched: nothing is sent to any other, whoever names it.

Sound of an allowed host comes from allowed hosts only. A known site may name any other host for its sound, as they keep
it in many places, but it must be a public one: no address instead of a name, no name of this network, no name that
leads to an address that is not public. This holds for every request: of pages, of sound, of each redirect.

Names are looked at before a request is made, and addresses where the connection is made, so that a name cannot lead
elsewhere in between. Through a proxy, which looks up names itself, only names can be looked at.
"""

import ipaddress
import socket
from functools import partial
from typing import Any

from requests import PreparedRequest, Response
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.retry import Retry
from yt_dlp.networking._requests import RequestsHTTPAdapter, RequestsRH

from core.collecting.failures import NotFetched
from core.collecting.places import AllowedHost, host_of

MAX_REDIRECTS = 5
_WEB_PORTS = (80, 443)
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_OF_THIS_NETWORK = (".localhost", ".local", ".localdomain", ".internal", ".intranet", ".lan", ".home", ".corp", ".arpa")


class Guard:
    """Lets requests pass to `allowed` hosts, and with `is_site` to public ones."""

    def __init__(self, allowed: tuple[AllowedHost, ...], *, is_site: bool) -> None:
        """Nothing is looked up yet."""
        self._allowed = allowed
        self._is_site = is_site

    def check(self, url: str) -> None:
        """Raise `NotFetched` ("not allowed") if no request may go to the host of `url`."""
        host, port = host_of(url)
        if not self._allows(host, port) and not (self._is_site and port in _WEB_PORTS and _is_public_name(host)):
            raise _refusal(host)

    def check_address(self, host: str, port: int, address: str) -> None:
        """Raise `NotFetched` ("not allowed") if `host` may not lead to this IP address."""
        if not self._allows(host, port) and not (self._is_site and _is_public(address)):
            raise _refusal(host)

    def handler(self, **options: Any) -> RequestsRH:
        """What yt-dlp sends its requests with: its own, with this guard in it. `options` are yt-dlp's."""
        return GuardedRH(self, **options)

    def _allows(self, host: str, port: int) -> bool:
        return any(one.covers(host, port) for one in self._allowed)


class GuardedRH(RequestsRH):  # type: ignore[misc]  # yt-dlp has no types; it wants names that end so
    """yt-dlp's way to send requests, behind a guard."""

    def __init__(self, guard: Guard, **options: Any) -> None:
        """See `Guard.handler`."""
        super().__init__(**options)
        self._guard = guard

    def _create_instance(self, cookiejar: Any, legacy_ssl_support: Any = None) -> Any:
        session = super()._create_instance(cookiejar, legacy_ssl_support)
        context = self._make_sslcontext(legacy_ssl_support=legacy_ssl_support)
        adapter = _Adapter(self._guard, ssl_context=context, max_retries=Retry(False))
        session.adapters.clear()  # so that there is no other way out
        session.mount("", adapter)
        session.max_redirects = MAX_REDIRECTS
        return session


class _Adapter(RequestsHTTPAdapter):  # type: ignore[misc]
    """Sends one request, where the guard lets it pass; each redirect comes here anew."""

    def __init__(self, guard: Guard, **options: Any) -> None:
        self._guard = guard
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {  # connections through a proxy are another manager's
            "http": partial(_Pool, self._guard),
            "https": partial(_SecurePool, self._guard),
        }

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        self._guard.check(request.url or "")
        answer: Response = super().send(request, *args, **options)
        return answer


class _Watched(HTTPConnection):
    """A connection that is made only to an address that the guard lets pass."""

    guard: Guard

    def _new_conn(self) -> socket.socket:
        # Looked up once here, so that a name of this network is not even connected to. The address that it really
        # became is looked at again: a name may lead elsewhere a moment later.
        for *_, found in _looked_up(self.host, self.port):
            self.guard.check_address(self.host, self.port, str(found[0]))
        connected = super()._new_conn()
        try:
            self.guard.check_address(self.host, self.port, str(connected.getpeername()[0]))
        except BaseException:
            connected.close()
            raise
        return connected


class _WatchedSecure(_Watched, HTTPSConnection):
    """The same, encrypted."""


class _Pool(HTTPConnectionPool):
    def __init__(self, guard: Guard, *args: Any, **options: Any) -> None:
        self.ConnectionCls = type("_Watched", (_Watched,), {"guard": guard})
        super().__init__(*args, **options)


class _SecurePool(HTTPSConnectionPool):
    def __init__(self, guard: Guard, *args: Any, **options: Any) -> None:
        self.ConnectionCls = type("_WatchedSecure", (_WatchedSecure,), {"guard": guard})
        super().__init__(*args, **options)


def _looked_up(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except OSError:  # connecting will tell
        return []


def _is_public_name(host: str) -> bool:
    """Whether this is the name of a host that others may know too: no address, and no name of this network."""
    last = host.rpartition(".")[2]
    # A last part that is a number, as in 127.1 or 0x7f.0.0.1, makes it an address to some.
    is_name = "." in host and ":" not in host and not last[:1].isdigit()
    return is_name and not f".{host}".endswith(_OF_THIS_NETWORK)


def _is_public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return found.is_global and not found.is_multicast and all(inner.is_global for inner in _inner(found))


def _inner(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address may stand for: written into it, or reached through a translator."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    translated = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if address in _TRANSLATED else None
    return [one for one in (address.ipv4_mapped, address.sixtofour, translated) if one]


def _refusal(host: str) -> NotFetched:
    return NotFetched(
        "not allowed", f"A request was to go to {host}, where songs are not fetched from; it was not sent."
    )
