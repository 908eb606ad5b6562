"""Which hosts may be reached while a song is fetched: nothing is sent to any other, whoever names it.

Sound of an allowed host comes from allowed hosts only. A known site may name any other host for its sound, as they keep
it in many places, but it must be a public one: no address instead of a name, no name of this network, no name that
leads to an address that is not public. This holds for every request: of pages, of sound, of each redirect.

Names are looked at here, addresses where the connection is made (`core.reach`).
"""

from typing import Any

from requests import PreparedRequest, Response
from urllib3.util.retry import Retry
from yt_dlp.networking._requests import RequestsHTTPAdapter, RequestsRH

from core.collecting.failures import NotFetched
from core.collecting.places import host_of
from core.reach import AllowedHost, is_public, is_public_name, watched_pools

MAX_REDIRECTS = 5
_WEB_PORTS = (80, 443)


class Guard:
    """Lets requests pass to `allowed` hosts, and with `is_site` to public ones."""

    def __init__(self, allowed: tuple[AllowedHost, ...], *, is_site: bool) -> None:
        """Nothing is looked up yet."""
        self._allowed = allowed
        self._is_site = is_site

    def check(self, url: str) -> None:
        """Raise `NotFetched` ("not allowed") if no request may go to the host of `url`."""
        host, port = host_of(url)
        if not self._allows(host, port) and not (self._is_site and port in _WEB_PORTS and is_public_name(host)):
            raise _refusal(host)

    def check_address(self, host: str, port: int, address: str) -> None:
        """Raise `NotFetched` ("not allowed") if `host` may not lead to this IP address."""
        if not self._allows(host, port) and not (self._is_site and is_public(address)):
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
        # connections through a proxy are another manager's
        self.poolmanager.pool_classes_by_scheme = watched_pools(self._guard.check_address)

    def send(self, request: PreparedRequest, *args: Any, **options: Any) -> Response:
        self._guard.check(request.url or "")
        answer: Response = super().send(request, *args, **options)
        return answer


def _refusal(host: str) -> NotFetched:
    return NotFetched(
        "not allowed", f"A request was to go to {host}, where songs are not fetched from; it was not sent."
    )
