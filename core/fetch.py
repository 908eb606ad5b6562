"""The one way in which a web service is asked: guarded, unhurried, and not twice.

A `Client` is tied to one service. It asks nobody else (redirects to another scheme, host or port are refused), reads
JSON of a bounded size in a bounded time, keeps the service's pace over all processes of the workspace, and keeps
answers on disk. A pause that the service asks for is stored: until it is over, nobody asks again.
"""

import contextlib
import json
import re
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import urllib3
from requests.exceptions import InvalidSchema, ProxyError, ReadTimeout, SSLError, Timeout
from requests_cache import DO_NOT_CACHE, CachedSession
from requests_cache.backends.sqlite import SQLiteCache
from requests_ratelimiter import Limiter, LimiterAdapter, Rate, SingleBucketFactory, SQLiteBucket

from core.errors import RateLimited, SourceError
from core.files import write_json
from core.settings import Settings

MAX_BYTES = 10_000_000
"""Largest answer that is read, bytes after decompression."""
TIMEOUT_S = (10.0, 30.0)
"""To connect; to wait for the next bytes."""
MAX_ANSWER_S = 60.0
"""For a whole answer: a service that sends a byte now and then is given up."""
TRIES = 3
DEFAULT_PAUSE_S = 60.0
"""Where a service asks for a pause and does not say how long."""
MAX_PAUSE_S = 7 * 86_400.0
_MAX_WAIT_FOR_TURN_S = 300.0
_SAFETY = 1.05  # the pace is counted where a request begins: leave 5 % for what happens between here and there
_BACKOFF_S = 0.5
_CHUNK = 65_536


class NotFound(SourceError):
    """The service does not have what was asked for (HTTP 404)."""


class Pause:
    """A pause that a service asked for, noted in a file so that every process of the workspace keeps it."""

    def __init__(self, path: Path, title: str) -> None:
        """`title` names the service in errors."""
        self._path = path
        self._title = title

    def begin(self, wait_s: float) -> RateLimited:
        """Note that the service must not be asked for `wait_s` seconds (1 s to 7 days); return the error to raise."""
        retry_at = datetime.now(UTC) + timedelta(seconds=min(wait_s if wait_s > 1 else 1.0, MAX_PAUSE_S))
        with contextlib.suppress(OSError):  # on a full disk the pause is at least told
            write_json(self._path, {"retry_at": retry_at.isoformat()})
        return self._error(retry_at)

    def until(self) -> datetime | None:
        """When the noted pause is over (UTC), if it is not over yet."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # a damaged note is no note
            retry_at = datetime.fromisoformat(json.loads(self._path.read_text(encoding="utf-8"))["retry_at"])
            left = retry_at - datetime.now(UTC)
            if timedelta(0) < left <= timedelta(seconds=MAX_PAUSE_S):  # a longer one is of a clock that was wrong
                return retry_at
        return None

    def check(self) -> None:
        """Raise `RateLimited` if the noted pause is not over."""
        if retry_at := self.until():
            raise self._error(retry_at)

    def _error(self, retry_at: datetime) -> RateLimited:
        return RateLimited(f"{self._title} asks for a pause: it was asked too often.", retry_at)


def retry_after_s(header: str, default_s: float = DEFAULT_PAUSE_S) -> float:
    """Seconds from a `Retry-After` header, which holds seconds or a date; `default_s` if it holds neither."""
    if header.isascii() and header.isdigit():
        return float(header[:9])
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        at = parsedate_to_datetime(header)
        return (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return default_s


def read_body(raw: Any, title: str, *, max_bytes: int) -> bytes:
    """The body of a urllib3 response, decompressed: at most `max_bytes` within `MAX_ANSWER_S`.

    Raises `SourceError` if it is larger, `ReadTimeout` if it takes longer, and what urllib3 raises.
    """
    body, deadline = bytearray(), time.monotonic() + MAX_ANSWER_S
    while chunk := raw.read1(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > max_bytes:
            raise SourceError(f"{title} sent more than {max_bytes // 1_000_000} MB at once. That is not read.")
        if time.monotonic() > deadline:
            raise ReadTimeout("the answer takes too long")
    return bytes(body)


def told(error: Exception, title: str) -> str:
    """What a person can do about a failed connection to the service `title`."""
    last = getattr(error.args[0], "reason", None) if error.args else None  # of several tries
    match last if isinstance(last, urllib3.exceptions.ReadTimeoutError) else error:
        case InvalidSchema():
            return f"{title} sent the request on to another address, which is not followed."
        case SSLError():
            return f"{title} could not prove who it is (certificate). Check the date, the time and the network."
        case ProxyError():
            return f"{title} could not be reached through the proxy. Check its settings."
        case Timeout() | urllib3.exceptions.TimeoutError():
            return f"{title} did not answer in time. Try again later."
        case urllib3.exceptions.DecodeError():
            return f"{title} sent a damaged answer, which cannot be read. Try again later."
        case requests.ConnectionError() | urllib3.exceptions.HTTPError():
            return f"{title} could not be reached. Check the network, or try again later."
    return f"{title} answered in a way that cannot be read. Try again later."


def no_sign_in(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Nothing is added; and as there is a way to sign in, requests does not look for one in `.netrc`."""
    return request


class Client:
    """Asks one service for JSON. May be used from several threads; they take turns."""

    def __init__(
        self,
        base_url: str,
        *,
        title: str,
        settings: Settings,
        requests_per: tuple[int, float],
        keep_s: float,
        user_agent: str,
    ) -> None:
        """Prepare; nothing is asked yet.

        `base_url` is where all paths begin, such as `https://api.deezer.com`; `title` names the service in errors.
        `requests_per` is (requests, seconds) that the service allows, counted over all processes of the workspace.
        Answers (200 and 404) are kept for `keep_s` seconds under `settings.answers`; 0 keeps none.
        """
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise SourceError(f"The address of {title} in the settings is no web address: {base_url}")
        self.title = title
        self._base = base_url.rstrip("/")
        place = re.sub(r"[^a-z0-9.-]", "_", f"{parts.scheme}-{parts.netloc}".lower())
        self._pause = Pause(settings.answers / f"{place}.pause.json", title)
        self._lock = threading.Lock()
        settings.answers.mkdir(parents=True, exist_ok=True)
        kept = SQLiteCache(_sound(settings.answers / f"{place}.sqlite"), serializer="json", busy_timeout=60_000)
        kept.delete(expired=True, vacuum=False)
        self._session = CachedSession(
            backend=kept,
            expire_after=timedelta(seconds=keep_s) if keep_s > 0 else DO_NOT_CACHE,
            allowable_codes=(200, 404),
            filter_fn=lambda response: response.status_code == 404 or _is_json(response.content),
        )
        self._session.headers.update({"User-Agent": user_agent, "Accept": "application/json"})
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.auth = no_sign_in
        self._session.max_redirects = 3
        self._limiter = _limiter(_sound(settings.answers / f"{place}.pace.sqlite"), requests_per)
        # The only adapter there is: an address that does not begin so cannot be asked, whoever names it.
        self._session.adapters.clear()
        self._session.mount(f"{parts.scheme}://{parts.netloc}/", _Guard(title, self._pause, self._limiter))

    def json(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """The answer for `path` below the base address, decoded.

        Raises `NotFound` for a 404; `RateLimited`, also without asking, while a pause is due; `SourceError` if the
        service cannot be reached, answers slowly, too much, nonsense, or an error. Faults that pass (a lost
        connection; 500, 502, 503, 504) are tried again twice, each try counting towards the pace.
        """
        url = f"{self._base}/{quote(path.lstrip('/'), safe='/:,;=@!$()*+~')}"
        with self._lock:
            response = self._get(url, dict(params or {}))
        if response.status_code == 404:
            raise NotFound(f"{self.title} does not have what was asked for.")
        if response.status_code >= 300:
            raise SourceError(f"{self.title} refused the request (HTTP {response.status_code}). Try again later.")
        try:
            return json.loads(response.content)
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{self.title} answered something that is no JSON. Try again later.") from error

    def pause(self, wait_s: float) -> RateLimited:
        """As `Pause.begin`, for services that ask for a pause in the body of an answer."""
        return self._pause.begin(wait_s)

    def close(self) -> None:
        """Close connections and files."""
        self._session.close()  # type: ignore[no-untyped-call]
        self._limiter.close()

    def _get(self, url: str, params: dict[str, str | int]) -> requests.Response:
        """The answer, tried again where that may help."""
        # Retries are done here and not by urllib3: below the adapter, they would pass by the pace.
        for attempt in range(1, TRIES + 1):
            if attempt > 1:
                time.sleep(_BACKOFF_S * 2 ** (attempt - 2))
            try:
                response = self._session.get(url, params=params, timeout=TIMEOUT_S)
            except (requests.RequestException, ValueError) as error:
                if attempt == TRIES or not _may_pass(error):
                    raise SourceError(told(error, self.title)) from error
                continue
            if response.status_code == 429 or (response.status_code == 503 and "Retry-After" in response.headers):
                raise self.pause(retry_after_s(response.headers.get("Retry-After", "")))
            if response.status_code not in (500, 502, 503, 504) or attempt == TRIES:
                return response
        raise AssertionError("the last try returns or raises")


class _Guard(LimiterAdapter):
    """Sends a request when its turn has come, and reads at most `MAX_BYTES` of the answer in `MAX_ANSWER_S`."""

    def __init__(self, title: str, pause: Pause, limiter: Limiter) -> None:
        # Statuses that fill the limiter are switched off: a 429 is stored as a pause instead.
        super().__init__(limiter=limiter, per_host=False, limit_statuses=(), max_delay=_MAX_WAIT_FOR_TURN_S)
        self._title = title
        self._pause = pause

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """The answer, read. Raises what `requests` would, and `SourceError` and `RateLimited`."""
        self._pause.check()  # here, so that kept answers are still given
        response: requests.Response = super().send(request, *args, **options | {"stream": True})
        try:
            response._content = read_body(response.raw, self._title, max_bytes=MAX_BYTES)
        except urllib3.exceptions.ReadTimeoutError as error:
            raise ReadTimeout(error) from error
        except urllib3.exceptions.DecodeError as error:
            raise SourceError(f"{self._title} sent a damaged answer. Try again later.") from error
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(error) from error
        finally:
            response.close()
        response._content_consumed = True
        return response


def _sound(path: Path) -> Path:
    """The same path; a file there that is no database any more is deleted, as what it holds can be asked for again."""
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(16)
        if start not in (b"", b"SQLite format 3\0"):
            path.unlink()
    return path


def _limiter(path: Path, requests_per: tuple[int, float]) -> Limiter:
    """The pace, counted in a file that all processes share."""
    count, seconds = requests_per
    rates = [Rate(count, round(seconds * 1000 * _SAFETY))]
    bucket = SQLiteBucket.init_from_file(rates, db_path=str(path), use_file_lock=True)
    bucket.leak(time.time_ns() // 1_000_000)  # once is enough: it is a row a request; no thread that does it forever
    return Limiter(SingleBucketFactory(bucket, schedule_leak=False))


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _may_pass(error: Exception) -> bool:
    lost = isinstance(error, requests.ConnectionError)
    return lost and not isinstance(error, Timeout | SSLError | ProxyError)
