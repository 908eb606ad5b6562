"""Deezer's public playlists, by its public API (developers.deezer.com/api). No account is needed.

Deezer allows 50 requests in 5 seconds, and tells errors in the body of a good answer: `{"error": {"code": 800, ...}}`.
"""

import re
from collections.abc import Mapping
from typing import Any

from core.errors import SourceError
from core.fetch import Client, NotFound
from core.music import ListedTrack, Playlist, PlaylistHit
from core.settings import Settings
from core.sources import cleaning
from core.sources.contract import Progress, no_progress

REQUESTS_PER = (50, 5.0)
PAGE = 100
MAX_TRACKS = 100_000
"""More than any playlist holds: a service that never ends is given up."""
QUOTA_PAUSE_S = 60.0

_HOSTS = {"www.deezer.com", "deezer.com"}
_URI = re.compile(r"deezer:playlist:([0-9]{1,20})")
_PATH = re.compile(r"/(?:[a-z]{2}(?:-[a-z]{2})?/)?playlist/([0-9]{1,20})/?", re.IGNORECASE)


class DeezerSource:
    """Implements `PlaylistSource`; a reference is `deezer:playlist:ID`. Nothing is kept: each fetch is today's list."""

    name = "deezer"
    title = "Deezer"
    searches = True

    def __init__(self, settings: Settings) -> None:
        """Nothing is asked, and no file opened, before the first fetch or search."""
        self._settings = settings
        self._opened: Client | None = None

    def recognise(self, text: str) -> str | None:
        """`deezer:playlist:ID` from that itself, or from an address such as `https://www.deezer.com/en/playlist/ID`.

        Short links (`link.deezer.com`, `deezer.page.link`) do not tell the id, and are not recognised: open them in a
        browser and copy the address from there.
        """
        if uri := _URI.fullmatch(text.strip()):
            return f"deezer:playlist:{uri[1]}"
        place = cleaning.web_place(text)
        path = _PATH.fullmatch(place[1]) if place and place[0] in _HOSTS else None
        return f"deezer:playlist:{path[1]}" if path else None

    def fetch(self, reference: str, *, limit: int | None = None, on_progress: Progress = no_progress) -> Playlist:
        """See `PlaylistSource.fetch`. Songs that Deezer does not play in this country are listed all the same."""
        playlist_id = reference.rpartition(":")[2]
        if self.recognise(reference) is None:
            raise SourceError(f"This is no playlist of Deezer: {cleaning.name(reference)}")
        about = self._ask(f"playlist/{playlist_id}")
        tracks: list[ListedTrack] = []
        skipped: dict[str, int] = {}
        total = _count(about.get("nb_tracks"))
        for index in range(0, MAX_TRACKS, PAGE):
            page = self._ask(f"playlist/{playlist_id}/tracks", {"index": index, "limit": PAGE})
            rows = _rows(page)
            total = _count(page.get("total")) if total is None else total
            _read(rows, tracks, skipped)
            on_progress(len(tracks) if limit is None else min(len(tracks), limit), total)
            # A page may be short though more follow: rows that Deezer hides are left out of it.
            if (
                not rows
                or (total is not None and index + PAGE >= total)
                or (limit is not None and len(tracks) >= limit)
            ):
                break
        return Playlist(
            self.name,
            f"deezer:playlist:{playlist_id}",
            cleaning.name(about.get("title")) or f"Deezer {playlist_id}",
            tuple(tracks[:limit]),
            owner=cleaning.name(_part(about, "creator").get("name")),
            url=f"https://www.deezer.com/playlist/{playlist_id}",
            skipped=skipped,
            n_listed=total,
        )

    def search(self, words: str, *, limit: int = 10) -> list[PlaylistHit]:
        """See `PlaylistSource.search`."""
        words = cleaning.name(words)
        if not words or limit < 1:
            return []
        rows = _rows(self._ask("search/playlist", {"q": words, "limit": min(limit, PAGE)}))
        hits = [_hit(row) for row in rows if _count(row.get("id")) and row.get("public") is not False]
        return list({hit.reference: hit for hit in hits if hit.title}.values())[:limit]

    @property
    def _client(self) -> Client:
        if self._opened is None:
            self._opened = Client(
                self._settings.deezer_api_url,
                title=self.title,
                settings=self._settings,
                requests_per=REQUESTS_PER,
                keep_s=0,
                user_agent="Genrescope",
            )
        return self._opened

    def _ask(self, path: str, params: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        """An answer that is no error."""
        try:
            answer = self._client.json(path, params)
        except NotFound as error:
            raise SourceError("Deezer has no such playlist: it may have been deleted, or is private.") from error
        if not isinstance(answer, dict):
            raise SourceError("Deezer answered something that cannot be read. Try again later.")
        if answer.get("error"):
            raise self._error(_part(answer, "error"))
        return answer

    def _error(self, error: Mapping[str, Any]) -> SourceError:
        """Codes as in developers.deezer.com/api/errors."""
        match error.get("code"):
            case 4:
                return self._client.pause(QUOTA_PAUSE_S)
            case 200 | 300:
                return SourceError("This playlist is private: on Deezer, make it public, then try again.")
            case 800:
                return SourceError("Deezer has no such playlist: it may have been deleted, or is private.")
            case 700:
                return SourceError("Deezer is busy. Try again in a few minutes.")
            case _:
                said = cleaning.name(error.get("message")) or "without saying why"
                return SourceError(f"Deezer refused the request: {said}.")


def _read(rows: list[dict[str, Any]], tracks: list[ListedTrack], skipped: dict[str, int]) -> None:
    for row in rows:
        if row.get("type", "track") != "track":
            skipped["no song"] = skipped.get("no song", 0) + 1
        elif not cleaning.name(row.get("title")):
            skipped["no title"] = skipped.get("no title", 0) + 1
        else:
            tracks.append(_track(row))


def _track(row: Mapping[str, Any]) -> ListedTrack:
    title, version = cleaning.name(row["title"]), cleaning.name(row.get("title_version"))
    others = row.get("contributors")
    artists = (
        [_part(row, "artist"), *(one for one in others if isinstance(one, dict))] if others else [_part(row, "artist")]
    )
    track_id = _count(row.get("id"))  # songs that people upload themselves have negative numbers, and no page
    return ListedTrack(
        title=title if not version or version in title else cleaning.name(f"{title} {version}"),
        artists=cleaning.artist_names(artist.get("name") for artist in artists),
        album=cleaning.name(_part(row, "album").get("title")),
        duration_s=cleaning.duration_s(row.get("duration")),
        isrc=cleaning.isrc(row.get("isrc")),
        source_id=str(track_id or cleaning.name(str(row.get("id", "")))),
        url=f"https://www.deezer.com/track/{track_id}" if track_id else "",
    )


def _hit(row: Mapping[str, Any]) -> PlaylistHit:
    playlist_id = _count(row.get("id"))
    return PlaylistHit(
        "deezer",
        f"deezer:playlist:{playlist_id}",
        cleaning.name(row.get("title")),
        owner=cleaning.name(_part(row, "user").get("name")),
        url=f"https://www.deezer.com/playlist/{playlist_id}",
        n_tracks=_count(row.get("nb_tracks")),
    )


def _rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = answer.get("data")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of an answer that should be an object; empty if it is none."""
    part = answer.get(name)
    return part if isinstance(part, dict) else {}


def _count(said: Any) -> int | None:
    """A number, not negative; None if it is none."""
    return said if isinstance(said, int) and not isinstance(said, bool) and said >= 0 else None
