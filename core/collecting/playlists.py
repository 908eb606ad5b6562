"""Playlists from their sources into the library: read, and searched for by genre."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core import text_encoding
from core.database import Database
from core.errors import LibraryError, RateLimited, SourceError
from core.library.genres import Genres
from core.library.importing import import_folder
from core.library.labels import at_or_below
from core.library.playlists import PlaylistRow, Playlists
from core.library.ranking import score
from core.library.store import Library
from core.music import Playlist, PlaylistHit
from core.names import clean
from core.settings import Settings
from core.sources.contract import PlaylistSource
from core.sources.lists import FileSource
from core.sources.registry import recognise

PREVIEW_TRACKS = 200
"""Tracks of a found playlist that are read to judge it."""
HITS = 8
"""Playlists that each source is asked for, a genre."""

OnProgress = Callable[[int, int | None, str], None]
"""(done, total if known, message); may raise to stop."""


@dataclass(frozen=True)
class Wanted:
    """A playlist to read: `ref` as a person gave it, and whose it is. `error` says why it was not understood."""

    ref: str
    source: str
    reference: str
    error: str | None = None


def understand(ref: str, sources: Mapping[str, PlaylistSource]) -> Wanted:
    """Whose playlist `ref` is: an address, URI, id, file or folder."""
    said = ref.strip()
    try:
        path = Path(said).expanduser()
        is_folder, is_there = said != "" and path.is_dir(), path.exists()
    except (OSError, ValueError, RuntimeError):  # too long for a path, or with a NUL in it, or in nobody's home
        is_folder = is_there = False
    if is_folder:
        return Wanted(ref, "folder", str(path.resolve()))
    try:
        return Wanted(ref, *recognise(ref, dict(sources)))
    except SourceError as error:
        if said.startswith(("/", "~", "./", "../")) and not is_there:
            return Wanted(ref, "", "", f"There is no file {clean(said)} on this computer. Check the spelling.")
        return Wanted(ref, "", "", str(error))


def all_in(ref: str, sources: Mapping[str, PlaylistSource]) -> list[Wanted]:
    """The playlists that `ref` names: as `understand`, but each of those in a file that holds several."""
    wanted = understand(ref, sources)
    source = sources.get(wanted.source)
    if not isinstance(source, FileSource):
        return [wanted]
    return [replace(wanted, reference=reference) for reference in source.playlists_in(wanted.reference)]


def read(
    wanted: Sequence[Wanted],
    database: Database,
    settings: Settings,
    sources: Mapping[str, PlaylistSource],
    *,
    take_in: bool,
    genres: Mapping[str, float] | None = None,
    job_id: int | None = None,
    on_progress: OnProgress = lambda done, total, message: None,
) -> list[dict[str, Any]]:
    """Read playlists, and take them in, or let them wait for a person. One that fails stops no other.

    Answers for each `{"ref", "source", "title", "tracks", "new", "removed", "skipped", "error"}`: distinct tracks,
    those new to the library, those that a known playlist lists no more, rows that are no tracks by reason. And
    `"encoding"`, where that of a file had to be guessed.
    """
    answers = []
    for number, one in enumerate(wanted):
        answer: dict[str, Any] = {"ref": one.ref, "source": one.source, "title": "", "tracks": 0, "new": 0}
        answer |= {"removed": 0, "skipped": {}, "error": one.error}
        if one.error is None:

            def tell(done: int, total: int | None, place: int = number, ref: str = one.ref) -> None:
                of = f" of {total:,}" if total else ""
                on_progress(place, len(wanted), f"{ref}: {done:,}{of} tracks")

            tell(0, None)
            try:
                if one.source == "folder":
                    answer |= _read_folder(one, database, settings, tell, job_id)
                else:
                    playlist = sources[one.source].fetch(one.reference, on_progress=tell)
                    answer |= _keep(playlist, Playlists(database), take_in, genres, job_id)
            except (LibraryError, SourceError) as error:  # not `JobStopped`: a stop goes on up
                answer["error"] = str(error)
        answers.append(answer)
    on_progress(len(wanted), len(wanted), "")
    return answers


def _keep(
    playlist: Playlist, playlists: Playlists, take_in: bool, genres: Mapping[str, float] | None, job_id: int | None
) -> dict[str, Any]:
    if take_in:
        taken = playlists.take_in(playlist, genres, job_id=job_id)
        told = {"tracks": taken.tracks, "new": taken.new, "removed": taken.removed, "skipped": taken.skipped}
    else:
        playlists.keep_reading(playlist)
        compared = playlists.compare(playlist)
        told = {"tracks": compared.tracks, "new": compared.new, "skipped": dict(playlist.skipped)}
        told["removed"] = len(compared.removed)
    if playlist.encoding:
        told["encoding"] = text_encoding.NAMES[playlist.encoding]
    return {"title": playlist.title, **told}


def _read_folder(
    one: Wanted, database: Database, settings: Settings, tell: Callable[[int, int | None], None], job_id: int | None
) -> dict[str, Any]:
    """Import a folder of songs, each voting for the genre that its own folder is named after."""
    result = import_folder(
        Library(database), settings, Path(one.reference), genre_from="folder", job_id=job_id, on_progress=tell
    )
    skipped = {"the same file again": result["duplicates"], "could not be used": len(result["failed"])}
    return {
        "title": Path(one.reference).name,
        "tracks": result["imported"] + result["already_known"],
        "new": result["imported"],
        "skipped": {reason: n for reason, n in skipped.items() if n},
    }


def search(
    genres: Sequence[str],
    database: Database,
    sources: Mapping[str, PlaylistSource],
    *,
    on_progress: OnProgress = lambda done, total, message: None,
) -> dict[str, Any]:
    """Search all sources for playlists of each genre, judge them, and let them wait for a person.

    Playlists that were rejected for a genre, or stand for it already, are left out. A source that asks for a pause, or
    that cannot be used, is asked no more in this search. Answers `{"found": n, "failed": [{"path", "reason"}]}`.
    """
    playlists, vocabulary = Playlists(database), {genre.name: genre for genre in Genres(database).all()}
    parents = Genres(database).parents()
    searching = {name: source for name, source in sources.items() if source.searches}
    failed: list[dict[str, str]] = []
    rejected = playlists.rejected()
    found = 0
    for number, asked in enumerate(genres):
        name = Genres(database).canonical(asked)
        genre = vocabulary.get(name)
        names = (name, *(genre.aliases if genre else ()))
        below = at_or_below(name, parents)
        for source in list(searching.values()):
            on_progress(number, len(genres), f"{name} on {source.title}")
            try:
                hits = source.search(name, limit=HITS)
            except SourceError as error:
                failed.append({"path": source.title, "reason": str(error)})
                del searching[source.name]
                continue
            for hit in hits:
                on_progress(number, len(genres), f"{name} on {source.title}: {hit.title}")
                row = playlists.find(hit.source, hit.reference)
                if (name, hit.source, hit.reference) in rejected or (row and name in row.genres):
                    continue
                try:
                    playlist, error_text = _preview(hit, source)
                except RateLimited as error:  # what an earlier search has read of the rest is kept as it is
                    failed.append({"path": source.title, "reason": str(error)})
                    del searching[source.name]
                    break
                judged = score(playlist, names, Library(database).labels_of(playlist.tracks), below)
                playlists.keep_reading(
                    playlist, genre=name, score=judged.total, reasons=judged.reasons, error=error_text
                )
                found += 1
    on_progress(len(genres), len(genres), "")
    return {"found": found, "failed": failed}


def search_words(words: str, sources: Mapping[str, PlaylistSource]) -> tuple[list[PlaylistHit], list[dict[str, str]]]:
    """(what all sources find for `words`, the sources that failed, with why)."""
    hits: list[PlaylistHit] = []
    failed = []
    for source in sources.values():
        if source.searches:
            try:
                hits += source.search(words, limit=HITS)
            except SourceError as error:
                failed.append({"path": source.title, "reason": str(error)})
    return hits, failed


def map_playlist(
    database: Database, sources: Mapping[str, PlaylistSource], ref: str, genres: Mapping[str, float]
) -> PlaylistRow:
    """Say which genres a playlist stands for: one of the library, by number, title or reference, or one to be read.

    `LibraryError` if several have this title, or if `ref` is none of these.
    """
    playlists = Playlists(database)
    rows = playlists.all()
    wanted = understand(ref, sources)
    found = [row for row in rows if (row.source, row.reference) == (wanted.source, wanted.reference)]
    found = found or [row for row in rows if str(row.id) == ref.strip()]
    found = found or [row for row in rows if row.title.casefold() == ref.strip().casefold()]
    if len(found) > 1:
        numbers = ", ".join(str(row.id) for row in found)
        raise LibraryError(f"Several playlists are called {ref}. Say which by its number: {numbers}.")
    if found:
        playlists.set_genres({found[0].id: genres})
        return playlists.get(found[0].id)
    if wanted.error is not None:
        raise LibraryError(f"There is no playlist {ref!r} in the library (`playlists list` tells). {wanted.error}")
    playlists.map_unread(wanted.source, wanted.reference, genres)
    row = playlists.find(wanted.source, wanted.reference)
    assert row is not None
    return row


def _preview(hit: PlaylistHit, source: PlaylistSource) -> tuple[Playlist, str]:
    """The first tracks of a found playlist; where they cannot be read, what the search told, and why.

    Raises `RateLimited` if a pause is due.
    """
    try:
        return source.fetch(hit.reference, limit=PREVIEW_TRACKS), ""
    except RateLimited:
        raise
    except SourceError as error:
        told = Playlist(hit.source, hit.reference, hit.title, (), owner=hit.owner, url=hit.url, n_listed=hit.n_tracks)
        return told, str(error)
