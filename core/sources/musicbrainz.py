"""Genres of recordings, as the users of MusicBrainz name them (musicbrainz.org/doc/MusicBrainz_API). No key is needed.

MusicBrainz allows one request a second, and wants to know who asks. A track takes one to four requests: by its ISRC,
else a search by title and artist and the recording found; and the artist, where the recording has no genres.
"""

import importlib.metadata
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from core.errors import SourceError
from core.fetch import Client, NotFound
from core.music import ListedTrack
from core.names import MAX_GENRE, clean
from core.settings import Settings
from core.sources import cleaning

REQUESTS_PER = (1, 1.0)
KEEP_S = 30 * 86_400.0
"""Genres change slowly: an answer is kept for 30 days."""
MIN_SCORE = 90
"""Of 100: what a search finds at a lower score is rarely what was looked for."""

_HITS = 10
_ADDRESS = "https://musicbrainz.org"
_MBID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SPECIAL = re.compile(r'([+\-&|!(){}\[\]^"~*?:\\/])')
_MORE_THAN_A_NAME = re.compile(r"\s*[(\[{]|\s+[-–—]\s+|\s+(?:feat|ft|featuring)\b", re.IGNORECASE)
_NOBODY = {
    "89ad4ac3-39f7-470e-963a-56509c546377",  # Various Artists
    "125ec42a-7229-4250-afc5-e057484327fe",  # [unknown]
    "f731ccc4-e22a-43af-a747-64213329e088",  # [anonymous]
}
"""Entries of MusicBrainz that stand for nobody: genres given to them say nothing."""


@dataclass(frozen=True)
class Found:
    """Genres with how many people named each (at least 1), most first.

    `by` tells how the recording was found, and `of` whether the genres are its own or its artist's; `url` is the page
    that shows them.
    """

    genres: tuple[tuple[str, int], ...]
    url: str
    by: Literal["isrc", "name"]
    of: Literal["recording", "artist"]


class MusicBrainz:
    """The web service, asked slowly; answers are kept for 30 days."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is asked yet. Raises `SourceError` if the settings name nobody who can be reached."""
        # a header holds no more than ASCII
        contact = clean(settings.contact).encode("ascii", "ignore").decode().strip()
        if not contact:
            raise SourceError(
                "MusicBrainz wants to know whom to write to if an app misbehaves. Set GENRESCOPE_CONTACT to your e-mail "
                "address or web page (in the environment or the file .env), and start again."
            )
        self._settings = settings
        self._user_agent = f"Genrescope/{_version()} ( {contact} )"
        self._opened: Client | None = None

    def genres(self, track: ListedTrack, *, same: Callable[[ListedTrack], bool]) -> Found | None:
        """Genres of the recording that `track` is, or of its artist; None if MusicBrainz does not know them.

        `same` decides whether a hit of a search is that recording. Raises `RateLimited` if a pause is due, and
        `SourceError` if MusicBrainz cannot be reached or answers nonsense.
        """
        by: Literal["isrc", "name"] = "isrc"
        recordings = self._of_isrc(track.isrc)
        if not recordings:
            by, recordings = "name", self._of_name(track, same)
        for recording in recordings:
            if genres := _genres(recording):
                return Found(genres, f"{_ADDRESS}/recording/{recording['id']}", by, "recording")
        artist = next(filter(None, map(_first_artist, recordings)), None)
        if artist is None:
            return None
        genres = _genres(self._ask(f"artist/{artist}", inc="genres"))
        return Found(genres, f"{_ADDRESS}/artist/{artist}", by, "artist") if genres else None

    def _of_isrc(self, code: str | None) -> list[dict[str, Any]]:
        """Recordings under a code; several, where entries of one recording were not merged yet."""
        isrc = cleaning.isrc(code)
        if isrc is None:
            return []
        return _entries(self._ask(f"isrc/{isrc}", inc="artist-credits genres"), "recordings")

    def _of_name(self, track: ListedTrack, same: Callable[[ListedTrack], bool]) -> list[dict[str, Any]]:
        """The best hit that is the same recording, read whole: a search does not tell genres."""
        if not (query := _query(track)):
            return []
        for hit in _entries(self._ask("recording", query=query, limit=_HITS), "recordings"):
            if _score(hit) >= MIN_SCORE and same(_listed(hit)):
                answer = self._ask(f"recording/{hit['id']}", inc="artist-credits genres")
                return [answer] if _is_entry(answer) else []
        return []

    def _ask(self, path: str, **params: str | int) -> dict[str, Any]:
        """The answer; empty if MusicBrainz does not have it."""
        if self._opened is None:
            self._opened = Client(
                self._settings.musicbrainz_url,
                title="MusicBrainz",
                settings=self._settings,
                requests_per=REQUESTS_PER,
                keep_s=KEEP_S,
                user_agent=self._user_agent,
            )
        try:
            answer = self._opened.json(path, {"fmt": "json", **params})
        except NotFound:
            return {}
        if not isinstance(answer, dict):
            raise SourceError("MusicBrainz answered in a way that cannot be read. Try again later.")
        return answer


def _version() -> str:
    try:
        return importlib.metadata.version("genrescope")
    except importlib.metadata.PackageNotFoundError:
        return "0"


def _query(track: ListedTrack) -> str:
    """A search in Lucene's syntax, by the title as it is or without what follows it; '' if the track lacks a name."""
    titles = dict.fromkeys(filter(None, (track.title.strip(), _MORE_THAN_A_NAME.split(track.title)[0].strip())))
    artist = next(filter(None, map(str.strip, track.artists)), "")
    if not titles or not artist:
        return ""
    return f"recording:({' OR '.join(map(_phrase, titles))}) AND artist:{_phrase(artist)}"


def _phrase(text: str) -> str:
    return '"' + _SPECIAL.sub(r"\\\1", clean(text)) + '"'


def _listed(recording: Mapping[str, Any]) -> ListedTrack:
    """A recording of MusicBrainz as a playlist would list it."""
    credits = recording.get("artist-credit")
    names = [credit.get("name") for credit in credits if isinstance(credit, dict)] if isinstance(credits, list) else []
    return ListedTrack(
        cleaning.name(recording.get("title")),
        cleaning.artist_names(names),
        duration_s=cleaning.duration_s(recording.get("length"), unit_s=0.001),
        source_id=str(recording["id"]),
    )


def _genres(entry: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """Names and votes of the genres of a recording or an artist; voted down ones are left out."""
    said = entry.get("genres")
    found: dict[str, int] = {}
    for genre in said if isinstance(said, list) else ():
        if isinstance(genre, dict) and isinstance(count := genre.get("count"), int) and count > 0:
            found.setdefault(clean(cleaning.name(genre.get("name")), limit=MAX_GENRE), count)
    found.pop("", None)
    return tuple(sorted(found.items(), key=lambda genre: (-genre[1], genre[0])))


def _first_artist(recording: Mapping[str, Any]) -> str | None:
    """The id of the first credited artist."""
    credits = recording.get("artist-credit")
    first = credits[0] if isinstance(credits, list) and credits and isinstance(credits[0], dict) else {}
    artist = first.get("artist")
    return str(artist["id"]) if _is_entry(artist) and artist["id"] not in _NOBODY else None


def _entries(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    said = answer.get(name)
    return [entry for entry in said if _is_entry(entry)] if isinstance(said, list) else []


def _is_entry(entry: Any) -> TypeGuard[dict[str, Any]]:
    """Whether this is something with an id of MusicBrainz, safe to put into an address."""
    return isinstance(entry, dict) and isinstance(entry.get("id"), str) and bool(_MBID.fullmatch(entry["id"]))


def _score(hit: Mapping[str, Any]) -> float:
    try:
        return float(hit.get("score", 0))
    except (TypeError, ValueError):
        return 0.0
