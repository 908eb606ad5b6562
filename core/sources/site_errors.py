"""What yt-dlp's errors mean to a person.

They come as many types, wrapped in each other, and often tell what happened only in their text: so both are looked at,
the status of an answer first.
"""

from collections.abc import Iterator

from core.errors import RateLimited, SourceError
from core.fetch import Pause, retry_after_s

PAUSE_S = 3600.0
"""For a site that asks for a pause and does not say how long: YouTube's last up to an hour."""

_LIMITED = ("too many requests", "rate-limit", "rate limit", "error 429")
_ROBOT = ("not a bot", "not a robot", "captcha", "client challenge", "unusual traffic", "impersonat")
_GONE = (
    *("does not exist", "not exist", "not found", "no longer available", "unviewable", "has been removed"),
    *(
        "has been deleted",
        "been terminated",
        "unavailable",
        "invalid parameters",
        "redirected to youtube.com home page",
    ),
    *("no suitable extractor", "doesn't contain any tracks"),
)
_PRIVATE = ("private", "sign in to", "log in to", "login required", "members-only")
_ABROAD = ("in your country", "geo restrict", "geo-restrict", "your location", "in your region")


def told(error: BaseException, site: str, pause: Pause) -> SourceError:
    """The error to raise in place of one of yt-dlp's; a pause that the site wants is noted in `pause`."""
    chain = list(_chain(error))
    text = " ".join(str(one) for one in chain).casefold()
    status = _status(chain)
    if status == 429 or _says(text, _LIMITED) or _says(text, _ROBOT):
        return _limited(chain, pause)
    if _says(text, _ABROAD):
        return SourceError(f"{site} does not give this list in your country.")
    if status in (404, 410):
        return _gone(site)
    if status in (401, 403) or _says(text, _PRIVATE):
        return SourceError(f"{site} refuses to show this list: it may be private. Make it public, then try again.")
    if status is not None and status >= 500:
        return SourceError(f"{site} has a problem of its own (HTTP {status}). Try again later.")
    if trouble := _network(chain):
        return SourceError(f"{site} {trouble}")
    if _says(text, _GONE):
        return _gone(site)
    return SourceError(
        f"What {site} answered could not be read. Sites change: update yt-dlp (pip install --upgrade yt-dlp), then try "
        "again."
    )


def is_gone(error: BaseException) -> bool:
    """Whether a single song cannot be had, while others may be."""
    chain = list(_chain(error))
    text = " ".join(str(one) for one in chain).casefold()
    if _says(text, _LIMITED) or _says(text, _ROBOT):
        return False
    status = _status(chain)
    return status in (403, 404, 410) if status else _says(text, (*_GONE, *_ABROAD, "private"))


def _limited(chain: list[BaseException], pause: Pause) -> RateLimited:
    answers = [getattr(one, "response", None) for one in chain]
    headers = [getattr(answer, "headers", None) or {} for answer in answers]
    said = next((header["Retry-After"] for header in headers if header.get("Retry-After")), "")
    return pause.begin(retry_after_s(said, PAUSE_S))


def _gone(site: str) -> SourceError:
    return SourceError(f"{site} does not have this list: it may have been deleted, or is private.")


def _network(chain: list[BaseException]) -> str:
    """What is wrong with the connection; '' if nothing is."""
    from yt_dlp.networking.exceptions import (
        CertificateVerifyError,
        ProxyError,
        SSLError,
        TransportError,
    )

    if any(isinstance(one, CertificateVerifyError | SSLError) for one in chain):
        return "could not prove who it is (certificate). Check date, time and network."
    if any(isinstance(one, ProxyError) for one in chain):
        return "could not be reached through the proxy. Check its settings."
    if any(isinstance(one, TransportError | ConnectionError | TimeoutError) for one in chain):
        return "could not be reached. Check the network, or try again later."
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that is wrapped in it, each once."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            wrapped = getattr(one, "exc_info", None) or (None, None)
            waiting += [getattr(one, "cause", None), wrapped[1], one.__cause__, one.__context__]


def _status(chain: list[BaseException]) -> int | None:
    """The HTTP status of the answer that began it."""
    statuses = [status for one in chain if isinstance(status := getattr(one, "status", None), int)]
    return statuses[0] if statuses else None


def _says(text: str, phrases: tuple[str, ...]) -> bool:
    return any(phrase in text for phrase in phrases)
