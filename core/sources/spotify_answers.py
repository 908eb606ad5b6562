"""Spotify's answers as nouns. Pure.

Two shapes are read, and mixtures of them: until 2026 a playlist held `tracks` and each row a `track`; since then they
are `items` and `item`. (A track has a boolean of its own called `track`.) Addresses are made from ids, never taken
from an answer. Lengths arrive in milliseconds and leave in seconds.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from core.errors import SourceError
from core.music import ListedTrack, PlaylistHit
from core.sources import cleaning

Answer = dict[str, Any]
"""A JSON object as Spotify sent it: nothing in it can be relied on."""
UNREADABLE = "Spotify answered in a way that cannot be read. Try again later."
MAX_DURATION_S = 7 * 86_400
"""A longer track is a wrong number."""
_ID = re.compile(r"[0-9A-Za-z]{22}")


@dataclass(frozen=True)
class Head:
    """What a playlist says of itself. `readable` is False where Spotify keeps the songs to itself.

    `snapshot` changes whenever the playlist does; None if it is not told.
    """

    title: str
    owner: str
    snapshot: str | None
    readable: bool


@dataclass
class Reading:
    """What was read of a playlist so far; `total` is the number of rows that Spotify tells, None if it does not."""

    tracks: list[ListedTrack] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    n_rows: int = 0
    n_pages: int = 0
    total: int | None = None
    ended: bool = False

    def add(self, page: Answer) -> None:
        """Take in the next page. Raises `SourceError` if it is none."""
        rows = page.get("items")
        if not isinstance(rows, list):
            raise SourceError(UNREADABLE)
        for row in rows:
            found = track_of(row)
            if isinstance(found, str):
                self.skipped[found] += 1
            else:
                self.tracks.append(found)
        self.n_rows += len(rows)
        self.n_pages += 1
        self.total = _count(page.get("total"))
        self.ended = not rows or (self.total is not None and self.n_rows >= self.total)
        if self.ended and self.total is not None and self.n_rows < self.total:
            self.skipped["not sent by Spotify"] += self.total - self.n_rows


def head_of(playlist: Answer) -> Head:
    """What `GET /playlists/ID` says. Raises `SourceError` if it is no playlist."""
    if "name" not in playlist and "id" not in playlist:
        raise SourceError(UNREADABLE)
    snapshot = playlist.get("snapshot_id")
    return Head(
        title=cleaning.name(playlist.get("name")) or "Untitled playlist",
        owner=_owner(playlist),
        snapshot=snapshot if isinstance(snapshot, str) and snapshot else None,
        readable=_container(playlist) is not None,
    )


def track_of(row: Any) -> ListedTrack | str:
    """The track in a row of a playlist, or in plain words why there is none."""
    if not isinstance(row, dict):
        return "empty row"
    thing = next((row[key] for key in ("item", "track") if isinstance(row.get(key), dict)), None)
    if thing is None:
        return "empty row"
    uri = thing.get("uri") if isinstance(thing.get("uri"), str) else ""
    if row.get("is_local") is True or thing.get("is_local") is True or uri.startswith("spotify:local:"):
        return "local file"
    if thing.get("episode") is True or thing.get("type", "track") != "track" or uri.startswith("spotify:episode:"):
        return "podcast"
    title = cleaning.name(thing.get("name"))
    if not title:
        return "withdrawn"
    track_id = _id(thing.get("id"))
    return ListedTrack(
        title=title,
        artists=_artists(thing.get("artists")),
        album=cleaning.name(_object(thing.get("album")).get("name")),
        duration_s=_seconds(thing.get("duration_ms")),
        isrc=cleaning.isrc(_object(thing.get("external_ids")).get("isrc")),
        source_id=track_id,
        url=f"https://open.spotify.com/track/{track_id}" if track_id else "",
    )


def hits_of(page: Answer) -> tuple[list[PlaylistHit], int, int | None]:
    """The playlists on a page of a list of playlists, how many entries it has with empty ones, and how many in all.

    Raises `SourceError` if it is no such page.
    """
    entries = page.get("items")
    if not isinstance(entries, list):
        raise SourceError(UNREADABLE)
    hits = [_hit(entry) for entry in entries if isinstance(entry, dict) and _id(entry.get("id"))]
    return hits, len(entries), _count(page.get("total"))


def address(playlist_id: str) -> str:
    """Where people see a playlist."""
    return f"https://open.spotify.com/playlist/{playlist_id}"


def person(user: Answer) -> str:
    """A user's name as shown, or their id; empty if neither is told."""
    return cleaning.name(user.get("display_name")) or cleaning.name(user.get("id"))


def _hit(entry: Answer) -> PlaylistHit:
    playlist_id = _id(entry["id"])
    return PlaylistHit(
        source="spotify",
        reference=playlist_id,
        title=cleaning.name(entry.get("name")) or "Untitled playlist",
        owner=_owner(entry),
        url=address(playlist_id),
        n_tracks=_count((_container(entry) or {}).get("total")),
    )


def _container(playlist: Answer) -> Answer | None:
    """Where a playlist has its rows, or at least their number."""
    return next((playlist[key] for key in ("items", "tracks") if isinstance(playlist.get(key), dict)), None)


def _owner(playlist: Answer) -> str:
    return person(_object(playlist.get("owner")))


def _artists(artists: Any) -> tuple[str, ...]:
    return cleaning.artist_names(_object(one).get("name") for one in (artists if isinstance(artists, list) else []))


def _object(value: Any) -> Answer:
    return value if isinstance(value, dict) else {}


def _id(value: Any) -> str:
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _seconds(milliseconds: Any) -> float | None:
    known = _count(milliseconds)
    return known / 1000 if known and known <= MAX_DURATION_S * 1000 else None
