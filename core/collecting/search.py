"""Searching YouTube and YouTube Music for recordings of a track, through yt-dlp and without an account.

In stages, the cheapest first: who has found what was wanted asks no further. Only yt-dlp's readers of these searches and
of a single video are loaded, and what is searched for never chooses among them. No sound is fetched here.

A search is one request. So is the page of a video, which holds what the player is told of it; where it does not, the
player is asked, too.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from yt_dlp.networking.exceptions import HTTPError

from core.collecting.failures import NotFetched
from core.collecting.guard import Guard
from core.collecting.places import Place
from core.collecting.reader import Reader, Silence
from core.collecting.yt_errors import not_fetched
from core.fetch import Pause
from core.music import Candidate, ListedTrack
from core.settings import Settings
from core.sources import cleaning, sites

FOUND = 10
"""Videos that one search of YouTube lists; a page of its results holds more, and costs no more."""
READ = 3
"""Songs that YouTube Music lists of which the page is read: its list tells neither length nor artist."""
READ_BY_ISRC = 2
"""The same, where the ISRC was searched for: then the first is the song, or none is."""
MAX_QUERY = 200

_SEARCH, _MUSIC, _VIDEO = "YoutubeSearch", "YoutubeMusicSearchURL", "Youtube"
_PLACE = Place(
    "youtube", "YouTube", "https://www.youtube.com/", ("youtube:search", "youtube:music:search_url", "youtube")
)
_ID = re.compile(r"[\w-]{11}", re.ASCII)
_OPERATORS = re.compile(r"[\"|]|(?<![^\s\"|])-+")  # of YouTube's search: a phrase, either of two, all but
_TOPIC = " - Topic"
_OF_ONE_VIDEO = ("gone", "refused", "geo", "age", "wrong format")
_FOR_SOME = ("private", "premium_only", "subscriber_only", "needs_auth")

Info = dict[str, Any]


class TrackSearch:
    """Searches for tracks. Of one process; begun anew for each track."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is asked yet."""
        self._settings = settings
        self._pause = Pause(settings.answers / f"{_PLACE.name}.pause.json", _PLACE.title)

    def stages(self, track: ListedTrack) -> Iterator[list[Candidate]]:
        """Lists of candidates, one for each further question: a search of YouTube; of YouTube Music by ISRC; by names.

        Candidates that do not tell their length are left out, as are live streams and what is not there any more, or
        not for everybody. One that the ISRC finds again is given again. Raises `NotFetched`, and `RateLimited` while
        a pause is due, also one that another process has noted meanwhile.
        """
        self._pause.check()
        names = _query(track)
        known: dict[str, Candidate | None] = {}
        with self._reader() as reader:
            if names:
                yield self._videos(reader, names, known)
            if track.isrc:
                yield self._songs(reader, track.isrc, known, limit=READ_BY_ISRC, has_isrc=True)
            if names:
                yield self._songs(reader, names, known, limit=READ)

    def _videos(self, reader: Reader, query: str, known: dict[str, Candidate | None]) -> list[Candidate]:
        """What YouTube lists."""
        found = [_candidate(entry) for entry in self._entries(reader, f"ytsearch{FOUND}:{query}", _SEARCH, FOUND)]
        videos = {one.source_id: one for one in found if one}
        known.update(videos)
        return list(videos.values())

    def _songs(
        self, reader: Reader, query: str, known: dict[str, Candidate | None], *, limit: int, has_isrc: bool = False
    ) -> list[Candidate]:
        """The first songs that YouTube Music lists, each with what its page tells; pages are read once (`known`)."""
        address = f"https://music.youtube.com/search?{urlencode({'q': query})}#songs"
        songs: dict[str, Candidate] = {}
        for entry in self._entries(reader, address, _MUSIC, limit):
            video_id = str(entry.get("id") or "")
            if not _ID.fullmatch(video_id) or (video_id in known and not has_isrc):
                continue
            if video_id not in known:
                info = self._page(reader, video_id)
                known[video_id] = _candidate(info) if info else None
            if told := known[video_id]:
                songs[video_id] = known[video_id] = replace(told, is_song=True, has_isrc=told.has_isrc or has_isrc)
        return list(songs.values())

    def _entries(self, reader: Reader, address: str, extractor: str, limit: int) -> list[Info]:
        """The first of a list, as far as its first page goes."""
        self._pause.check()
        listed: list[Info] = []
        try:
            info = reader.extract_info(address, download=False, process=False, ie_key=extractor) or {}
            for entry in islice(info.get("entries") or (), limit):
                listed += [entry] if isinstance(entry, dict) else []
        except _NextPageError:
            pass
        except Exception as error:
            raise _told(error, reader) from error
        return listed

    def _page(self, reader: Reader, video_id: str) -> Info | None:
        """What the page of a video tells; None if that one cannot be had."""
        self._pause.check()
        try:
            info = reader.extract_info(_address(video_id), download=False, process=False, ie_key=_VIDEO)
        except Exception as error:
            told = _told(error, reader)
            # A status 403 is about who asks: of a video that it keeps to itself, YouTube says so on the page.
            is_about_us = told.reason == "refused" and isinstance(reader.failed, HTTPError)
            if told.reason in _OF_ONE_VIDEO and not is_about_us:
                return None
            raise told from error
        return info if isinstance(info, dict) else None

    def _reader(self) -> "_FirstPages":
        """yt-dlp with these readers and nothing else, behind a guard."""
        options = {
            "allowed_extractors": [re.escape(name) for name in _PLACE.extractors],
            "logger": Silence(),
            "quiet": True,
            "skip_download": True,
            "extract_flat": "in_playlist",
            "lazy_playlist": True,
            "js_runtimes": {},  # they are for addresses of sound
            "extractor_args": {
                "youtubetab": {"skip": ["webpage"]},  # a search is then one request instead of two
                "youtube": {
                    "player_client": ["web"],  # what it is told is on the page already; of others, each is a request
                    "player_skip": ["js", "configs", "initial_data"],
                    "skip": ["hls", "dash", "translated_subs"],
                    "raise_incomplete_data": ["yes"],  # else an answer without a list looks as if nothing were found
                },
            },
            "socket_timeout": sites.TIMEOUT_S,
            "extractor_retries": 1,
            "sleep_interval_requests": sites.PAUSE_S,
            "geo_bypass": False,  # it would tell the site a made-up address
            "cachedir": str(self._settings.answers / "yt-dlp"),
        }
        return _FirstPages(options, _PLACE, Guard((), is_site=True), lambda: "", lambda _: None)


class _NextPageError(Exception):
    """A list goes on, on a page that was not asked for."""


class _FirstPages(Reader):
    """Asks for no second page of a list: yt-dlp would, wherever the first holds less than was wanted."""

    def urlopen(self, req: Any) -> Any:
        """The answer to a request. Raises `_NextPageError` for that of a second page."""
        if b'"continuation": ' in (getattr(req, "data", None) or b""):
            raise _NextPageError
        return super().urlopen(req)


def _told(error: Exception, reader: Reader) -> NotFetched:
    """What happened. Where yt-dlp says only that it found nothing, the last request tells, if it failed."""
    told = not_fetched(error, _PLACE.title)
    if reader.failed and told.reason in ("unexpected", "outdated yt-dlp"):
        cause = not_fetched(reader.failed, _PLACE.title)
        return cause if cause.reason in ("network", "refused", "gone") else told
    return told


def _query(track: ListedTrack) -> str:
    """What is searched for: up to three artists and the title, without what means something to the search."""
    said = " ".join([*track.artists[:3], track.title])
    return cleaning.name(_OPERATORS.sub(" ", said))[:MAX_QUERY].strip()


def _candidate(info: Info) -> Candidate | None:
    """A candidate from what yt-dlp says of a video; None if it is none."""
    video_id, duration_s = str(info.get("id") or ""), cleaning.duration_s(info.get("duration"))
    title = cleaning.name(info.get("track")) or cleaning.name(info.get("title"))
    is_live = info.get("live_status") in ("is_live", "is_upcoming", "post_live") or info.get("is_live")
    if not _ID.fullmatch(video_id) or not duration_s or not title or is_live or info.get("availability") in _FOR_SOME:
        return None
    channel = cleaning.name(info.get("channel")) or cleaning.name(info.get("uploader"))
    views = info.get("view_count")
    artists = info.get("artists")
    return Candidate(
        url=_address(video_id),
        source_id=video_id,
        title=title,
        channel=channel,
        artists=cleaning.artist_names(artists) if isinstance(artists, list) else (),
        album=cleaning.name(info.get("album")),
        duration_s=duration_s,
        views=views if isinstance(views, int) else None,
        is_song=True if channel.endswith(_TOPIC) else None,
    )


def _address(video_id: str) -> str:
    return f"https://www.youtube.com/watch?v={video_id}"
