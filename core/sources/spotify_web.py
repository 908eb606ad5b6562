"""How Spotify is asked: at its two addresses only, bounded in bytes and time, every refusal an error of ours.

Requests go through spotipy, over a session from here. Once Spotify asks for a pause (429), the pause is stored in
`settings.answers`, and until it is over no process of the workspace sends anything; nobody sleeps through it.
"""

import contextlib
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import spotipy
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from core.errors import RateLimited, SourceError
from core.files import write_json
from core.settings import Settings
from core.sources.spotify_answers import UNREADABLE, Answer

TIMEOUT_S = (5.0, 20.0)
"""To connect; to wait for the next bytes."""
MAX_ANSWER_S = 60.0
"""For a whole answer: a server that sends a byte now and then is given up."""
MAX_ANSWER_BYTES = 20_000_000
"""Largest answer that is read, after decompression; a full page of songs is under 1 MB."""
DEFAULT_PAUSE_S = 30
"""Where Spotify asks for a pause and does not say how long."""
MAX_PAUSE_S = 7 * 86_400
RETRIES = 3
"""How often 500, 502, 503, 504 and a lost connection are tried again."""
_BACKOFF_S = 0.3
_CHUNK = 65_536


def _drop(_record: logging.LogRecord) -> bool:
    return False


# spotipy logs tokens, secrets and codes at DEBUG. A filter, unlike a level, is not undone by setting another level.
for _name in ("spotipy", "spotipy.client", "spotipy.oauth2", "spotipy.cache_handler", "spotipy.util"):
    logging.getLogger(_name).addFilter(_drop)


class Refused(SourceError):
    """Spotify said no: HTTP `status` 400 to 499, but not 429; `reason` is the word of its sign-in server, or empty."""

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(
            f"Spotify refused the request (HTTP {status}). Try again later, or sign out and sign in again."
        )
        self.status = status
        self.reason = reason


def session(settings: Settings) -> requests.Session:
    """A session for both of Spotify's addresses in `settings`, and for no other.

    Its requests raise `RateLimited`, `Refused` and `SourceError` as `_Door.send` says.
    """
    made = requests.Session()
    made.auth = _no_sign_in
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    made.adapters.clear()  # any other address cannot be asked, whoever names it
    for base in (settings.spotify_api_url, settings.spotify_accounts_url):
        made.mount(f"{base.rstrip('/')}/", _Door(settings))
    return made


def client(settings: Settings, over: requests.Session, **auth: Any) -> Any:
    """A client of spotipy on the address in `settings`; `auth` is its `auth` (a token) or `auth_manager`."""
    made = spotipy.Spotify(requests_session=over, **auth)
    made.prefix = f"{settings.spotify_api_url.rstrip('/')}/"
    return made


def ask(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Answer:
    """What a call of spotipy gives, which must be a JSON object. Raises `SourceError` if not, and as the session."""
    try:
        answer = call(*args, **kwargs)
    except (requests.RequestException, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # spotipy relies on keys and types; the fault may hold tokens, so it is not shown.
        raise SourceError(UNREADABLE) from None
    if not isinstance(answer, dict):
        raise SourceError(UNREADABLE)
    return answer


class _Door(HTTPAdapter):
    """The only way out: looks for a pause, sends, reads a bounded answer, and tells what went wrong."""

    def __init__(self, settings: Settings) -> None:
        # A 429 is not in the list, and Retry-After is not obeyed here: urllib3 would sleep it, up to a day.
        retry = Retry(
            total=RETRIES,
            read=1,  # a time-out takes long enough
            backoff_factor=_BACKOFF_S,
            status_forcelist=(500, 502, 503, 504),
            allowed_methods={"GET", "POST"},
            respect_retry_after_header=False,
            raise_on_status=False,
        )
        super().__init__(max_retries=retry)
        self._pause = settings.answers / "spotify-retry.json"

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """The answer, read, if its status is 200 to 299.

        Raises `RateLimited` (also without sending, while a pause is due), `Refused` for 4xx, and `SourceError` for
        everything else: not reached, too slow, too large, sent elsewhere, out of order.
        """
        self._check_pause()
        options |= {"stream": True, "timeout": TIMEOUT_S}
        try:
            response = super().send(request, *args, **options)
            try:
                response._content = _body(response.raw)  # as requests itself does, but bounded
                response._content_consumed = True
            finally:
                response.close()
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise SourceError(_told(error)) from None  # the error holds the request, with its tokens
        self._check_status(response)
        return response

    def _check_status(self, response: requests.Response) -> None:
        status = response.status_code
        if status == 429:
            raise self._store_pause(response.headers.get("Retry-After", ""))
        if status >= 500:
            raise SourceError(f"Spotify is out of order at the moment (HTTP {status}). Try again in some minutes.")
        if status >= 400:
            raise Refused(status, _reason(response.content))
        if status >= 300:
            raise SourceError("Spotify sent the request on to another address, which is not followed. Try again later.")

    def _store_pause(self, retry_after: str) -> RateLimited:
        seconds = int(retry_after) if retry_after.isascii() and retry_after.isdigit() else DEFAULT_PAUSE_S
        retry_at = datetime.now(UTC) + timedelta(seconds=min(seconds, MAX_PAUSE_S))
        with contextlib.suppress(OSError):  # on a full disk the pause is at least told
            write_json(self._pause, {"retry_at": retry_at.isoformat()})
        return _rate_limited(retry_at)

    def _check_pause(self) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # a damaged note is no note
            retry_at = datetime.fromisoformat(json.loads(self._pause.read_text(encoding="utf-8"))["retry_at"])
            left = retry_at - datetime.now(UTC)
            if timedelta(0) < left <= timedelta(seconds=MAX_PAUSE_S):  # a longer one is of a clock that was wrong
                raise _rate_limited(retry_at)


def _rate_limited(retry_at: datetime) -> RateLimited:
    return RateLimited("Spotify asks for a pause: it was asked too often.", retry_at)


def _body(raw: Any) -> bytes:
    body, deadline = bytearray(), time.monotonic() + MAX_ANSWER_S
    while chunk := raw.read1(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise SourceError(f"Spotify sent more than {MAX_ANSWER_BYTES // 1_000_000} MB at once. That is not read.")
        if time.monotonic() > deadline:
            raise requests.Timeout
    return bytes(body)


def _told(error: Exception) -> str:
    """What a person can do about a failed connection."""
    last = getattr(error.args[0], "reason", None) if error.args else None  # of several tries
    match last if isinstance(last, urllib3.exceptions.ReadTimeoutError) else error:
        case requests.exceptions.SSLError():
            return "Spotify could not prove who it is (certificate). Check the date, the time and the network."
        case requests.exceptions.ProxyError():
            return "Spotify could not be reached through the proxy. Check its settings."
        case requests.Timeout() | urllib3.exceptions.TimeoutError():
            return "Spotify did not answer in time. Try again later."
        case urllib3.exceptions.DecodeError():
            return UNREADABLE
    return "Spotify could not be reached. Check the network, or try again later."


def _reason(body: bytes) -> str:
    """The word by which the sign-in server says why, such as `invalid_grant`; the API's errors are objects instead."""
    with contextlib.suppress(ValueError, RecursionError):
        answer = json.loads(body)
        if isinstance(answer, dict) and isinstance(answer.get("error"), str):
            return str(answer["error"])
    return ""


def _no_sign_in(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Adds nothing; where a way to sign in is given, requests does not take another from `.netrc`."""
    return request
