"""Searching YouTube and YouTube Music for recordings of a track, through yt-dlp and without an account.

In stages, the cheapest first: who has found what was wanted asks no further. Only yt-dlp's readers of these searches and
of a single video are loaded, and what is searched for never chooses among them. No sound is fetched here.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any
from urllib.parse import urlencode

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

_TITLE = "YouTube"
_SEARCH, _MUSIC, _VIDEO = "YoutubeSearch", "YoutubeMusicSearchURL", "Youtube"
_READERS = ("youtube:search", "youtube:music:search_url", "youtube")
_ID = re.compile(r"[\w-]{11}", re.ASCII)
_OPERATORS = re.compile(r"[\"|]|(?<![^\s\"|])-+")  # of YouTube's search: a phrase, either of two, all but
_TOPIC = " - Topic"

Info = dict[str, Any]


class TrackSearch:
    """Searches for tracks. Of one process; begun anew for each track."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is asked yet."""
        self._settings = settings

    def stages(self, track: ListedTrack) -> Iterator[list[Candidate]]:
        """Lists of candidates, one for each further question: a search of YouTube; of YouTube Music by ISRC; by names.

        Candidates that do not tell their length are left out, as are live streams and what is not there any more. One
        that the ISRC finds again is given again. Raises `NotFetched`, and `RateLimited` while a pause is due.
        """
        Pause(self._settings.answers / "youtube.pause.json", _TITLE).check()
        names = _query(track)
        known: dict[str, Candidate] = {}
        with self._reader() as reader:
            if names:
                yield self._videos(reader, names, known)
            if track.isrc:
                yield self._songs(reader, track.isrc, known, limit=READ_BY_ISRC, has_isrc=True)
            if names:
                yield self._songs(reader, names, known, limit=READ)

    def _videos(self, reader: Any, query: str, known: dict[str, Candidate]) -> list[Candidate]:
        """What YouTube lists."""
        found = [_candidate(entry) for entry in self._entries(reader, f"ytsearch{FOUND}:{query}", _SEARCH, FOUND)]
        known.update({one.source_id: one for one in found if one})
        return [one for one in found if one]

    def _songs(
        self, reader: Any, query: str, known: dict[str, Candidate], *, limit: int, has_isrc: bool = False
    ) -> list[Candidate]:
        """The first songs that YouTube Music lists, each with what its page tells."""
        address = f"https://music.youtube.com/search?{urlencode({'q': query})}#songs"
        songs = []
        for entry in self._entries(reader, address, _MUSIC, limit):
            video_id = str(entry.get("id") or "")
            if not _ID.fullmatch(video_id) or (video_id in known and not has_isrc):
                continue
            told = known.get(video_id)
            if told is None or told.is_song is None:
                info = self._page(reader, video_id)
                told = _candidate(info, is_song=True, has_isrc=has_isrc) if info else None
            if told:
                known[video_id] = replace(told, has_isrc=told.has_isrc or has_isrc)
                songs.append(known[video_id])
        return songs

    def _entries(self, reader: Any, address: str, extractor: str, limit: int) -> list[Info]:
        try:
            info = reader.extract_info(address, download=False, process=False, ie_key=extractor) or {}
            return [entry for entry in islice(info.get("entries") or (), limit) if isinstance(entry, dict)]
        except Exception as error:
            raise not_fetched(error, _TITLE) from error

    def _page(self, reader: Any, video_id: str) -> Info | None:
        """What the page of a video tells; None if that one cannot be had."""
        try:
            info = reader.extract_info(_address(video_id), download=False, process=False, ie_key=_VIDEO)
        except Exception as error:
            told = not_fetched(error, _TITLE)
            if told.reason in ("gone", "refused", "geo", "age", "wrong format"):
                return None
            raise told from error
        return info if isinstance(info, dict) else None

    def _reader(self) -> Any:
        """yt-dlp with these readers and nothing else."""
        from yt_dlp import YoutubeDL  # here: it takes a third of a second

        return YoutubeDL(
            {
                "allowed_extractors": [re.escape(name) for name in _READERS],
                "logger": sites.Silence(),
                "quiet": True,
                "skip_download": True,
                "extract_flat": "in_playlist",
                "lazy_playlist": True,
                "ignore_no_formats_error": True,  # what a page tells is enough
                "extractor_args": {
                    "youtubetab": {"skip": ["webpage"]},  # a search is then one request instead of two
                    "youtube": {"player_skip": ["js"], "skip": ["hls", "dash", "translated_subs"]},
                },
                "socket_timeout": sites.TIMEOUT_S,
                "extractor_retries": 1,
                "sleep_interval_requests": sites.PAUSE_S,
                "geo_bypass": False,  # it would tell the site a made-up address
                "cachedir": str(self._settings.answers / "yt-dlp"),
            }
        )


def _query(track: ListedTrack) -> str:
    """What is searched for: up to three artists and the title, without what means something to the search."""
    said = " ".join([*track.artists[:3], track.title])
    return cleaning.name(_OPERATORS.sub(" ", said))[:MAX_QUERY].strip()


def _candidate(info: Info, *, is_song: bool | None = None, has_isrc: bool = False) -> Candidate | None:
    """A candidate from what yt-dlp says of a video; None if it is none."""
    video_id, duration_s = str(info.get("id") or ""), cleaning.duration_s(info.get("duration"))
    title = cleaning.name(info.get("track")) or cleaning.name(info.get("title"))
    is_live = info.get("live_status") in ("is_live", "is_upcoming", "post_live") or info.get("is_live")
    if not _ID.fullmatch(video_id) or not duration_s or not title or is_live:
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
        is_song=True if is_song or channel.endswith(_TOPIC) else None,
        has_isrc=has_isrc,
    )


def _address(video_id: str) -> str:
    return f"https://www.youtube.com/watch?v={video_id}"
