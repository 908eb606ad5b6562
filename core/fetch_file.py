"""The one guarded way to get a file from the web whose SHA-256 is known: from a public host over https, or an allowed one."""

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from core.errors import SourceError
from core.fetch import TIMEOUT_S, no_sign_in, told
from core.reach import AllowedHost, allowed_hosts, is_public, is_public_name, watched_pools
from core.settings import Settings

MAX_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
_CHUNK = 262_144


def download(
    url: str,
    target: Path,
    *,
    sha256: str,
    max_bytes: int,
    settings: Settings,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> None:
    """Write the file at `url` to `target`, if it has this SHA-256 (64 hex digits) and `max_bytes` at most.

    `check` is called often and may raise to stop; `on_progress(bytes so far, bytes in all if told)` follows. Every
    request, redirects included, goes to a public host over https, or to one of `settings.allowed_hosts`. Whatever is not
    what was asked for is deleted. Raises `SourceError`.
    """
    adapter = _Adapter(allowed_hosts(settings))
    adapter.check(url)  # before anything is prepared, so that the sentence is about the address that was given
    host = urlsplit(url).hostname or ""
    digest, done = hashlib.sha256(), 0
    try:
        with _session(adapter) as session, _answer(session, url, host, max_bytes) as answer, target.open("wb") as file:
            length = answer.headers.get("Content-Length", "")
            total = int(length) if length.isdigit() else None
            while chunk := answer.raw.read1(_CHUNK, decode_content=False):
                check()
                done += len(chunk)
                if done > max_bytes:
                    raise _too_large(host, max_bytes)
                digest.update(chunk)
                file.write(chunk)
                on_progress(done, total)
        if total is not None and done < total:
            raise SourceError(f"The file from {host} was cut off after {done:,} of {total:,} bytes. Try again.")
        if digest.hexdigest() != sha256.lower():
            raise SourceError(
                f"The file from {host} is not the one you asked for: its SHA-256 is {digest.hexdigest()}. It was not "
                "opened, and is deleted. Compare the address and the SHA-256 with where you have them from."
            )
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, urllib3.exceptions.ProtocolError):
            raise SourceError(f"The file from {host} was cut off. Try again.") from error
        if isinstance(error, requests.TooManyRedirects):
            raise SourceError(f"{host} sends the request round and round. Check the address.") from error
        if isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError | ValueError):
            raise SourceError(told(error, host)) from error
        raise


def path_of(url: str) -> str:
    """The path in an address, as people read it; '' if there is none."""
    try:
        return unquote(urlsplit(url).path)
    except ValueError:
        return ""


def _session(adapter: "_Adapter") -> requests.Session:
    session = requests.Session()
    session.headers.update({"User-Agent": "Genrescope", "Accept": "*/*", "Accept-Encoding": "identity"})
    session.auth = no_sign_in
    session.max_redirects = MAX_REDIRECTS
    session.adapters.clear()  # so that there is no other way out
    session.mount("", adapter)
    return session


@contextlib.contextmanager
def _answer(session: requests.Session, url: str, host: str, max_bytes: int) -> Any:
    """The answer to be read, after redirects, if it is a file of a size that is wanted."""
    with session.get(url, stream=True, timeout=TIMEOUT_S) as answer:
        if answer.status_code != 200:
            raise SourceError(f"{host} does not give the file (HTTP {answer.status_code}). Check the address.")
        length = answer.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > max_bytes:
            raise _too_large(host, max_bytes)
        yield answer


class _Adapter(HTTPAdapter):
    """Sends one request, where it may go; each redirect comes here anew."""

    def __init__(self, allowed: tuple[AllowedHost, ...]) -> None:
        self._allowed = allowed
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = watched_pools(self._check_address)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        self.check(request.url or "")
        return super().send(request, *args, **options)

    def check(self, url: str) -> None:
        """Raise `SourceError` if no request may go to `url`."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            host, port = "", 0
        if not host or not port or parts.username is not None:
            raise SourceError(f"{url[:200]} is no web address. It begins with https:// and names a host.")
        if self._is_allowed(host, port):
            return
        if parts.scheme != "https":
            raise SourceError(f"Files are fetched over https only: the address at {host} begins with http://.")
        if port != _PORTS["https"] or not is_public_name(host):
            raise _refusal(host)

    def _check_address(self, host: str, port: int, address: str) -> None:
        if not self._is_allowed(host, port) and not is_public(address):
            raise _refusal(host)

    def _is_allowed(self, host: str, port: int) -> bool:
        return any(one.covers(host, port) for one in self._allowed)


def _refusal(host: str) -> SourceError:
    return SourceError(
        f"A request was to go to {host}, which is no public host; it was not sent. If it is yours, allow it with "
        "GENRESCOPE_ALLOWED_HOSTS."
    )


def _too_large(host: str, max_bytes: int) -> SourceError:
    return SourceError(f"The file from {host} is larger than {max_bytes // 1_000_000} MB. It is not fetched.")
