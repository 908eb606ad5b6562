"""The sound behind one address, as a file: guarded, bounded, and saying why not.

Both kinds of places go one way. For a known site yt-dlp reads the page, with that site's reader alone, and says where the
sound is; for an allowed host the address itself is the sound, and what comes is never read for other addresses. Then
yt-dlp's transfer runs, behind `guard`. That spares a second way of going on where a transfer was cut off.

It may be killed at any moment. In the folder lie `told.json` (what was known before the transfer), the sound under a name of
our own, and while it is coming, that name with `.part`: called again, it goes on from there. Nothing that a site
says becomes a name of a file, except an ending that is on a list.
"""

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from core.collecting.failures import NotFetched
from core.collecting.places import Place, place_of
from core.collecting.yt_errors import JS_RUNTIMES, not_fetched
from core.errors import SourceError
from core.files import fingerprint, size_in_words, write_json
from core.reach import allowed_hosts
from core.settings import Settings
from core.sources import cleaning, sites
from core.sources.site_errors import Trouble

TRIES = 3
"""Of a transfer that breaks off."""
_TOLD = "told.json"
_ENDINGS = ("mp3", "m4a", "mp4", "webm", "ogg", "opus", "oga", "flac", "wav", "aiff", "aif", "aac", "mka", "weba")
_FRAGMENTS = ("m3u8", "m3u8_native", "http_dash_segments", "http_dash_segments_generator")
_PROTOCOLS = ("http", "https", *_FRAGMENTS)
"""Those that yt-dlp transfers by itself; for others it would start programs, which no guard sees."""
_NO_SOUND = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<!doctype|<html|<\?xml|<!--|\{|\[|#EXTM3U)", re.IGNORECASE)
_VERSION = re.compile(r'"[\x21\x23-\x7e]{1,200}"|[A-Z][\w,: ]{20,30} GMT', re.ASCII)
"""A file's ETag, or the date of its last change; not a weak ETag, as of one such the bytes may differ."""
_PAGES = ("text/", "application/json", "application/xml", "application/xhtml", "application/javascript")

OnProgress = Callable[[int, int | None], None]
Info = dict[str, Any]


@dataclass(frozen=True)
class Downloaded:
    """A sound that lies in a file, whole. `title` ('') and `duration_s` (None) are as the place tells; nothing is decoded."""

    path: Path
    title: str
    duration_s: float | None
    size_bytes: int


def no_progress(_: int, __: int | None) -> None:
    """Tell nobody."""


def download(url: str, folder: Path, settings: Settings, *, on_progress: OnProgress = no_progress) -> Downloaded:
    """Fetch the sound behind `url` into `folder`, or go on with it; what lies there whole is answered at once.

    `on_progress` gets the bytes that are there, and how many there will be (None if not told). Raises `NotFetched`: the
    address is of no place that sound is fetched from; the sound is longer than `settings.max_audio_s` (by what is told,
    before any of it is transferred) or larger than `settings.max_audio_bytes`; it is a list or a live stream ("wrong
    format": neither waiting nor a higher limit would help); or whatever keeps the place from giving it.
    """
    try:
        place, allowed = place_of(url, settings), allowed_hosts(settings)
    except SourceError as error:
        raise NotFetched("not allowed", str(error)) from error
    if place is None:
        raise NotFetched("not allowed", "This is no single song of a known site, and at no host that is allowed.")
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if whole := _whole(folder, place):
        return whole
    transfer = _Transfer(place, folder, settings, on_progress)
    try:
        try:
            transfer.run(allowed)
        except Exception as error:
            if Trouble.of(error).status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            _clear(folder)  # it was killed when all had come, and cannot go on from there: yt-dlp would try for ever
            transfer.run(allowed)
        _check_start(folder, place)
    except Exception as error:
        told = _told(error, transfer.failed, place.title)
        if told.reason in ("too long", "wrong format"):
            _clear(folder)
        if told is error:
            raise
        raise told from error
    if whole := _whole(folder, place):
        return whole
    raise NotFetched("damaged", f"{place.title} sent nothing.")  # yt-dlp does not take that for an error


def _told(error: Exception, failed: Exception | None, title: str) -> NotFetched:
    """What happened; `failed` is the last request, if it did, for where the error does not say."""
    told = not_fetched(error, title)
    if failed and told.reason in ("unexpected", "outdated yt-dlp"):
        cause = not_fetched(failed, title)
        return cause if cause.reason in ("network", "refused") else told
    return told


class _Transfer:
    """One run of yt-dlp for one song. It calls back: to have a sound considered, and to tell how far it is."""

    def __init__(self, place: Place, folder: Path, settings: Settings, on_progress: OnProgress) -> None:
        self._place = place
        self._folder = folder
        self._settings = settings
        self._on_progress = on_progress
        self.failed: Exception | None = None

    def run(self, allowed: Any) -> None:
        """Read the page, and transfer the sound."""
        from core.collecting.reader import reader  # here, as it loads yt-dlp, which takes a third of a second

        with reader(self._place, allowed, self._options(), self._path, self._look_at_answer) as yt:
            try:
                info = self._song(yt) if self._place.extractors else self._plain()
                yt.process_ie_result(info, download=True)
            finally:
                self.failed = yt.failed

    def _options(self) -> dict[str, Any]:
        return {
            "allowed_extractors": [re.escape(name) for name in self._place.extractors],
            "format": "bestaudio/best",
            "match_filter": self._consider,
            "progress_hooks": [self._count],
            "noplaylist": True,
            "fixup": "never",
            "hls_prefer_native": True,
            "skip_unavailable_fragments": False,  # else a song would come with a hole in it, as if it were whole
            "js_runtimes": {name: {} for name in JS_RUNTIMES},
            "socket_timeout": sites.TIMEOUT_S,
            "retries": TRIES - 1,
            "fragment_retries": TRIES - 1,
            "file_access_retries": 0,
            "extractor_retries": 1,
            "sleep_interval_requests": sites.PAUSE_S,
            "geo_bypass": False,  # it would tell the site a made-up address
            "updatetime": False,
            "noprogress": True,
            "quiet": True,
            "color": "no_color",
            "cachedir": str(self._settings.answers / "yt-dlp"),
        }

    def _song(self, yt: Any) -> Info:
        """What the site's page says of the song."""
        info = yt.extract_info(self._place.address, download=False, process=False)
        kind = info.get("_type", "video") if isinstance(info, dict) else None
        if kind in ("playlist", "multi_video") and not any(True for _ in info.get("entries") or ()):
            raise NotFetched("gone", f"{self._place.title} does not have this any more.")
        if kind != "video":
            raise NotFetched("wrong format", f"At {self._place.title} this is several songs, or another page.")
        return dict(info)

    def _plain(self) -> Info:
        """An address that is the sound itself."""
        told = _note(self._folder, self._place)
        headers = {"If-Range": told["version"]} if told.get("version") else {}
        # With If-Range, a file that has changed since is sent from its start, not from where the old one broke off.
        return {
            **{"id": "song", "title": "song", "url": self._place.address, "ext": "bin", "http_headers": headers},
            **{"extractor": "allowed host", "extractor_key": "Host", "webpage_url": self._place.address},
        }

    def _consider(self, info: Info, *, incomplete: Any = False) -> None:
        """Refuse a sound before any of it comes, or note what is known of it. yt-dlp asks this of each sound."""
        title = self._place.title
        if info.get("is_live") or info.get("live_status") == "is_live":
            raise NotFetched("wrong format", f"At {title} this is a live stream, which has no end.")
        if info.get("live_status") in ("is_upcoming", "post_live"):
            raise NotFetched("refused", f"{title} does not play this yet: it is announced, or was live a moment ago.")
        duration_s = cleaning.duration_s(info.get("duration"))
        if duration_s and duration_s > self._settings.max_audio_s:
            raise NotFetched("too long", f"It lasts {duration_s / 60:.0f} minutes, which is more than is fetched.")
        if incomplete:
            return
        if info.get("protocol") not in _PROTOCOLS or info.get("requested_formats"):
            raise NotFetched("wrong format", f"{title} sends this in a way that is not read.")
        self._check_size(info.get("filesize") or 0)
        name = _name(info)
        is_same = _note(self._folder, self._place).get("file") == name
        if not is_same or info["protocol"] in _FRAGMENTS:
            # Another sound, or one of pieces: killed while it adds one, yt-dlp would add it twice.
            _clear(self._folder)
        self._remember(
            file=name,
            title="" if not self._place.extractors else cleaning.name(info.get("title")),
            duration_s=duration_s,
        )

    def _path(self) -> str:
        """Where the sound goes, whatever yt-dlp would call it."""
        return str(self._folder / str(_note(self._folder, self._place).get("file") or "song.bin"))

    def _remember(self, **told: Any) -> None:
        write_json(self._folder / _TOLD, {**_note(self._folder, self._place), "address": self._place.address, **told})

    def _look_at_answer(self, headers: Any) -> None:
        """The head of an answer, before its body is read."""
        if self._place.extractors:
            return
        kind = str(headers.get("Content-Type") or "").strip().lower()
        if kind.startswith(_PAGES):
            raise NotFetched("wrong format", f"{self._place.title} sent a page or data, not sound.")
        said = str(headers.get("ETag") or headers.get("Last-Modified") or "")
        self._remember(version=said if _VERSION.fullmatch(said) else "")

    def _count(self, told: Info) -> None:
        here, total = int(told.get("downloaded_bytes") or 0), told.get("total_bytes")
        self._check_size(max(here, int(total or 0)))
        self._on_progress(here, int(total) if total else None)

    def _check_size(self, size_bytes: Any) -> None:
        limit = self._settings.max_audio_bytes
        if isinstance(size_bytes, int | float) and size_bytes > limit:
            raise NotFetched("too long", f"It is larger than {size_in_words(limit)}, the largest that is fetched.")


def _name(info: Info) -> str:
    """A name of our own for a sound: another for another format, so that one is never gone on with by another's bytes."""
    ending = info.get("ext") if info.get("ext") in _ENDINGS else "bin"
    which = [str(info.get(key) or "") for key in ("format_id", "filesize", "protocol")]
    return f"song-{fingerprint(which)}.{ending}"


def _note(folder: Path, place: Place) -> Info:
    """What was noted in `folder` of this address; empty if nothing was, or of another."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        told = json.loads((folder / _TOLD).read_text(encoding="utf-8"))
        if isinstance(told, dict) and told.get("address") == place.address:
            return told
    return {}


def _whole(folder: Path, place: Place) -> Downloaded | None:
    """The sound that lies in `folder`, if it is all there: it gets its name when it is."""
    told = _note(folder, place)
    if not re.fullmatch(r"song-[0-9a-f]{16}\.[a-z0-9]+", str(told.get("file"))):
        return None
    path = folder / told["file"]
    size_bytes = path.stat().st_size if path.is_file() else 0
    if not size_bytes:
        return None
    return Downloaded(path, cleaning.name(told.get("title")), cleaning.duration_s(told.get("duration_s")), size_bytes)


def _check_start(folder: Path, place: Place) -> None:
    """Raise `NotFetched` if the first bytes are those of a page, of data, or of a list of other addresses."""
    if whole := _whole(folder, place):
        with whole.path.open("rb") as file:
            if _NO_SOUND.match(file.read(512)):
                raise NotFetched("wrong format", f"{place.title} sent a page or data, not sound.")


def _clear(folder: Path) -> None:
    """Remove what came so far."""
    for path in folder.glob("song-*"):
        with contextlib.suppress(OSError):
            path.unlink()
    (folder / _TOLD).unlink(missing_ok=True)
