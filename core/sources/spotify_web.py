"""How Spotify is asked: at its two addresses only, bounded in bytes and time, every refusal an error of ours.

Requests go through spotipy, over a session from here. Once Spotify asks for a pause (429), the pause is stored in
`settings.answers`, and until it is over no process of the workspace sends anything; nobody sleeps through it.
"""

import contextlib
import json
import logging
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import spotipy
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from core.errors import SourceError
from core.fetch import Pause, no_sign_in, read_body, retry_after_s, told
from core.settings import Settings
from core.sources.spotify_answers import UNREADABLE, Answer

TIMEOUT_S = (5.0, 20.0)
"""To connect; to wait for the next bytes."""
MAX_ANSWER_BYTES = 20_000_000
"""Largest answer that is read, after decompression; a full page of songs is under 1 MB."""
DEFAULT_PAUSE_S = 30
"""Where Spotify asks for a pause and does not say how long."""
RETRIES = 3
"""How often 500, 502, 503, 504 and a lost connection are tried again."""
_BACKOFF_S = 0.3


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
    made.auth = no_sign_in
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
        self._pause = Pause(settings.answers / "spotify-retry.json", "Spotify")

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """The answer, read, if its status is 200 to 299.

        Raises `RateLimited` (also without sending, while a pause is due), `Refused` for 4xx, and `SourceError` for
        everything else: not reached, too slow, too large, sent elsewhere, out of order.
        """
        self._pause.check()
        options |= {"stream": True, "timeout": TIMEOUT_S}
        try:
            response = super().send(request, *args, **options)
            try:
                response._content = read_body(response.raw, "Spotify", max_bytes=MAX_ANSWER_BYTES)
                response._content_consumed = True
            finally:
                response.close()
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise SourceError(told(error, "Spotify")) from None  # the error holds the request, with its tokens
        self._check_status(response)
        return response

    def _check_status(self, response: requests.Response) -> None:
        status = response.status_code
        if status == 429:
            raise self._pause.begin(retry_after_s(response.headers.get("Retry-After", ""), DEFAULT_PAUSE_S))
        if status >= 500:
            raise SourceError(f"Spotify is out of order at the moment (HTTP {status}). Try again in some minutes.")
        if status >= 400:
            raise Refused(status, _reason(response.content))
        if status >= 300:
            raise SourceError("Spotify sent the request on to another address, which is not followed. Try again later.")


def _reason(body: bytes) -> str:
    """The word by which the sign-in server says why, such as `invalid_grant`; the API's errors are objects instead."""
    with contextlib.suppress(ValueError, RecursionError):
        answer = json.loads(body)
        if isinstance(answer, dict) and isinstance(answer.get("error"), str):
            return str(answer["error"])
    return ""
