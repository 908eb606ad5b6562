"""What yt-dlp's errors mean to a person.

They come as many types, wrapped in each other, and often tell what happened only in their text: so both are looked at,
the status of an answer first. `Trouble` is what can be seen of an error; `told` says it of a list (of a song:
`core.collecting.yt_errors`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Trouble:
    """What can be seen of an error: all that is wrapped in it, what they say (in small letters), the status answered.

    The questions are in the order of what is surest; the same error may say yes to several.
    """

    chain: tuple[BaseException, ...]
    text: str
    status: int | None

    @classmethod
    def of(cls, error: BaseException) -> "Trouble":
        """Look at an error, and at those that it came from."""
        chain = tuple(_chain(error))
        statuses = [status for one in chain if isinstance(status := getattr(one, "status", None), int)]
        return cls(chain, " ".join(str(one) for one in chain).casefold(), statuses[0] if statuses else None)

    def says(self, *phrases: str) -> bool:
        """Whether any of the phrases (in small letters) is in the text."""
        return any(phrase in self.text for phrase in phrases)

    @property
    def is_limit(self) -> bool:
        """Too much was asked."""
        return self.status == 429 or self.says(*_LIMITED)

    @property
    def is_robot_check(self) -> bool:
        """The site wants proof that a person is asking."""
        return self.says(*_ROBOT)

    @property
    def is_abroad(self) -> bool:
        """It is not given in this country."""
        return self.says(*_ABROAD)

    @property
    def is_private(self) -> bool:
        """It is only for some, or only for who is signed in."""
        return self.status in (401, 403) or self.says(*_PRIVATE)

    @property
    def is_gone(self) -> bool:
        """It is not there (by what is said; a status 404 or 410 is looked at before)."""
        return self.says(*_GONE)

    @property
    def retry_after(self) -> str:
        """The `Retry-After` header of the answer, '' if there is none."""
        answers = [getattr(one, "response", None) for one in self.chain]
        headers = [getattr(answer, "headers", None) or {} for answer in answers]
        return next((str(header["Retry-After"]) for header in headers if header.get("Retry-After")), "")

    @property
    def network(self) -> str:
        """What is wrong with the connection, to be said after the site's name; '' if nothing is."""
        from yt_dlp.networking.exceptions import (
            CertificateVerifyError,
            ProxyError,
            SSLError,
            TransportError,
        )

        if any(isinstance(one, CertificateVerifyError | SSLError) for one in self.chain):
            return "could not prove who it is (certificate). Check date, time and network."
        if any(isinstance(one, ProxyError) for one in self.chain):
            return "could not be reached through the proxy. Check its settings."
        if any(isinstance(one, TransportError | ConnectionError | TimeoutError) for one in self.chain):
            return "could not be reached. Check the network, or try again later."
        return ""


def told(error: BaseException, site: str, pause: Pause) -> SourceError:
    """The error to raise in place of one of yt-dlp's; a pause that the site wants is noted in `pause`."""
    trouble = Trouble.of(error)
    status = trouble.status
    if trouble.is_limit or trouble.is_robot_check:
        return _limited(trouble, pause)
    if trouble.is_abroad:
        return SourceError(f"{site} does not give this list in your country.")
    if status in (404, 410):
        return _gone(site)
    if trouble.is_private:
        return SourceError(f"{site} refuses to show this list: it may be private. Make it public, then try again.")
    if status is not None and status >= 500:
        return SourceError(f"{site} has a problem of its own (HTTP {status}). Try again later.")
    if network := trouble.network:
        return SourceError(f"{site} {network}")
    if trouble.is_gone:
        return _gone(site)
    return SourceError(
        f"What {site} answered could not be read. Sites change: update yt-dlp (pip install --upgrade yt-dlp), then try "
        "again."
    )


def is_gone(error: BaseException) -> bool:
    """Whether a single song cannot be had, while others may be."""
    trouble = Trouble.of(error)
    if trouble.says(*_LIMITED, *_ROBOT):
        return False
    if trouble.status:
        return trouble.status in (403, 404, 410)
    return trouble.says(*_GONE, *_ABROAD, "private")


def _limited(trouble: Trouble, pause: Pause) -> RateLimited:
    return pause.begin(retry_after_s(trouble.retry_after, PAUSE_S))


def _gone(site: str) -> SourceError:
    return SourceError(f"{site} does not have this list: it may have been deleted, or is private.")


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
