"""What one of yt-dlp's errors means for a song that was to be fetched: a reason, and a sentence.

What can be seen of an error is `core.sources.site_errors.Trouble`; here it is given one of the reasons of `failures`.
Of several that would do, the one comes first that a person can do most about: a pause that is wanted before a
status, a status before words.
"""

import errno
import re

from core.collecting.failures import NotFetched
from core.fetch import DEFAULT_PAUSE_S, retry_after_s
from core.names import clean
from core.sources.site_errors import Trouble

JS_RUNTIMES = ("deno", "node")
"""Those of yt-dlp's that shut a site's code in: bun and quickjs would let it do whatever this user may."""

_MAX_SAID = 200  # characters of what a site says that are passed on

_ADULTS = ("confirm your age", "age-restrict", "age restrict", "inappropriate for some users", "only to adults")
_PAID = ("join this channel", "members only", "requires payment", "requires purchase", "premium member")
_UPCOMING = ("will begin in", "premieres in", "premiere will begin", "premiere in", "waiting for")
_LIVE = ("is not currently live", "live stream", "livestream", "live event", "is live")
_NO_SOUND = (
    *("requested format is not available", "no video formats", "no formats", "only images are available"),
    "drm protected",
)
_CUT_OFF = ("bytes, expected", "more expected", "content too short")
_GONE = ("is not available", "isn't available", "removed by the uploader", "account associated with this video")
_URL = re.compile(r"\S+://\S*")
_PREFIX = re.compile(r"^(?:\x1b\[[0-9;]*m|ERROR:|\[[\w:.+-]+\]|\s)+(?:[\w.-]+: )?")


def not_fetched(error: BaseException, title: str) -> NotFetched:
    """What happened, for the site or host named `title`; an error that is a `NotFetched`, or came from one, is that."""
    trouble = Trouble.of(error)
    ours = next((one for one in trouble.chain if isinstance(one, NotFetched)), None)
    return ours or _pause(trouble, title) or _refusal(trouble, title) or _failure(trouble, title)


def of_status(status: int, retry_after: str, title: str) -> NotFetched | None:
    """What an answer of this HTTP status means, with its `Retry-After` header ('' if none); None if it is no error."""
    if status == 429 or (status == 503 and retry_after):
        # The default is only for a header that cannot be understood; without one, nothing is said of how long.
        wait_s = max(0.0, retry_after_s(retry_after, DEFAULT_PAUSE_S)) if retry_after else None
        return NotFetched("rate limit", f"{title} was asked too often, and wants a pause.", wait_s)
    if status == 451:
        return NotFetched("geo", f"{title} does not give this in your country.")
    if status in (404, 410):
        return NotFetched("gone", f"{title} does not have this any more.")
    if status >= 500:
        return NotFetched("network", f"{title} has a problem of its own (HTTP {status}).")
    if status >= 400:
        return NotFetched("refused", f"{title} refuses to hand this out (HTTP {status}).")
    return NotFetched("network", f"{title} sends this request on in circles.") if status >= 300 else None


def has_javascript() -> bool:
    """Whether yt-dlp finds a JavaScript runtime here that it can use. It runs each to ask for its version."""
    import yt_dlp  # noqa: F401 - which fills in the runtimes it knows
    from yt_dlp.globals import supported_js_runtimes

    found = (runtime().info for name, runtime in supported_js_runtimes.value.items() if name in JS_RUNTIMES)
    return any(one is not None and one.supported for one in found)


def _pause(trouble: Trouble, title: str) -> NotFetched | None:
    """What the site wants before it answers anything again."""
    answered = of_status(trouble.status, trouble.retry_after, title) if trouble.status else None
    if answered and answered.reason == "rate limit":
        return answered
    if trouble.is_robot_check:
        return NotFetched("bot check", f"{title} wants proof that a person is asking.")
    if trouble.is_limit:
        return of_status(429, trouble.retry_after, title)
    return None


def _refusal(trouble: Trouble, title: str) -> NotFetched | None:
    """Why the site does not give this one song."""
    from yt_dlp.utils import GeoRestrictedError, UserNotLive

    if trouble.says(*_ADULTS):
        return NotFetched("age", f"{title} shows this only to adults who are signed in.")
    if trouble.is_abroad or any(isinstance(one, GeoRestrictedError) for one in trouble.chain):
        return NotFetched("geo", f"{title} does not give this in your country.")
    if trouble.status and (answered := of_status(trouble.status, trouble.retry_after, title)):
        return answered
    if trouble.is_private or trouble.says(*_PAID):
        return NotFetched("refused", f"{title} gives this only to some who are signed in: it is private, or paid for.")
    if trouble.says(*_UPCOMING):
        return NotFetched("refused", f"{title} does not play this yet: it is announced for later.")
    if trouble.says(*_LIVE) or any(isinstance(one, UserNotLive) for one in trouble.chain):
        return NotFetched("wrong format", f"At {title} this is a live stream, which has no end.")
    return None


def _failure(trouble: Trouble, title: str) -> NotFetched:
    """What went wrong between the site, the network and this machine."""
    if network := trouble.network:
        return NotFetched("network", f"{title} {network.split('. ')[0].rstrip('.')}.")
    if full := next(
        (one for one in trouble.chain if getattr(one, "errno", None) in (errno.ENOSPC, errno.EDQUOT)), None
    ):
        return NotFetched("unexpected", f"The sound could not be written: {getattr(full, 'strerror', '')}.")
    if trouble.says("giving up after"):
        return NotFetched("network", f"The connection to {title} failed, also when it was tried again.")
    if trouble.says(*_CUT_OFF):
        return NotFetched("network", f"The connection to {title} broke off before all had come.")
    if trouble.says("did not get any data blocks"):
        return NotFetched("damaged", f"{title} sent an empty file.")
    if trouble.says(*_NO_SOUND):
        return _no_sound(trouble, title)
    if trouble.is_gone or trouble.says(*_GONE):
        return NotFetched("gone", f"{title} does not have this any more.")
    if _is_of_an_extractor(trouble):
        return NotFetched("outdated yt-dlp", f"What {title} answered is not understood by the yt-dlp here.")
    said = _said(trouble.chain[0])
    return NotFetched("unexpected", f"{title} could not be read: {said}" if said else f"{title} could not be read.")


def _no_sound(trouble: Trouble, title: str) -> NotFetched:
    """Why a page that was read offers nothing to hear."""
    if trouble.says("drm"):
        return NotFetched("wrong format", f"{title} gives this only encrypted, for its own players.")
    if title != "YouTube":
        return NotFetched("wrong format", f"{title} offers no sound here that can be fetched.")
    if not has_javascript():
        return NotFetched("missing JavaScript runtime", f"{title} wants JavaScript, which nothing here can run.")
    return NotFetched("outdated yt-dlp", f"{title} offers no sound that the yt-dlp here can see.")


def _is_of_an_extractor(trouble: Trouble) -> bool:
    """Whether what reads the site's pages met something that its author did not expect."""
    from yt_dlp.utils import ExtractorError

    told = [one for one in trouble.chain if isinstance(one, ExtractorError)]
    return any(not one.expected for one in told) or (not told and _was_reading(trouble.chain[-1]))


def _was_reading(error: BaseException) -> bool:
    place = error.__traceback__
    while place is not None:
        if str(place.tb_frame.f_globals.get("__name__", "")).startswith("yt_dlp.extractor."):
            return True
        place = place.tb_next
    return False


def _said(error: BaseException) -> str:
    """The first sentence of what an error says, on one line, without addresses, which may hold keys."""
    text = _URL.sub("", _PREFIX.sub("", str(error).split("\n")[0]))
    text = clean(re.split(r"; please report|\(caused by|\. (?=[A-Z])", text)[0], limit=_MAX_SAID).rstrip(" .;:")
    return f"{text}." if text else ""
