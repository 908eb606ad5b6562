"""Playlists in files and from the clipboard: CSV, M3U, XSPF, and lines such as `Artist - Title`.

`read_list` reads what a browser sent; a `FileSource` reads a file of this machine. What is read is text, whatever it
says: no formula is computed, no address visited, no entity of XML resolved.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from core.errors import SourceError
from core.music import ListedTrack, ListKind, Playlist, PlaylistHit
from core.sources import cleaning, tables
from core.sources.contract import Progress, no_progress
from core.sources.tables import guess_columns, preview_table

__all__ = ["FileSource", "guess_columns", "looks_like", "preview_table", "read_list", "read_text"]

MAX_BYTES = 50_000_000
MAX_TRACKS = tables.MAX_ROWS
MAX_LINE = 4000
"""Characters of a line that are read; longer ones are no list."""
ENDINGS: dict[ListKind, tuple[str, ...]] = {
    "csv": (".csv", ".tsv"),
    "m3u": (".m3u", ".m3u8"),
    "xspf": (".xspf",),
    "text": (".txt",),
}
TITLES: dict[ListKind, str] = {
    "csv": "CSV table",
    "m3u": "M3U playlist",
    "xspf": "XSPF playlist",
    "text": "List of lines",
}

_NO_TEXT = "This file holds no text that can be read: it is no list of tracks."
_EXTINF = re.compile(r'#EXTINF:\s*(-?\d+(?:\.\d+)?)?(?:\s+[\w-]+=(?:"[^"]*"|[^\s,"]*))*\s*,(.*)', re.IGNORECASE)
_BULLET = re.compile(
    r"^(?:[-*+•·▪◦‣>»–—]\s+|\(?\d{1,4}[.):\]]\s+|#\d{1,4}\s+|0\d{1,2}\s+(?=\S)|\d{1,4}\s+[-–—]\s+(?=.+\s[-–—]\s))"
)
_TRAILING_CLOCK = re.compile(r"\s*[(\[]\s*((?:\d{1,3}:)?\d{1,3}:[0-5]\d)\s*[)\]]\s*$")
_CLOCK = re.compile(r"[(\[]?(?:\d{1,3}:)?\d{1,3}:[0-5]\d[)\]]?")


def read_list(
    file_name: str, data: bytes, *, columns: Mapping[str, str] | None = None, reference: str | None = None
) -> Playlist:
    """The playlist in the bytes of a file, of the kind that name and content tell.

    Its title is the file's own or comes from `file_name`; `reference` is what it goes by for good, the file's name if
    not said. `columns` says which column of a table is which field (see `tables.guess_columns`). Rows that are no
    tracks are counted in `skipped`; rows that stand twice are kept twice. Raises `SourceError` if the file is too
    large, damaged, or of another kind.
    """
    kind: ListKind = "csv" if columns else looks_like(file_name, data)
    return _read(kind, file_name, data, columns, reference or cleaning.name(file_name) or "Playlist")


def looks_like(file_name: str, data: bytes) -> ListKind:
    """The kind of a list: by the ending of its name, by its content where that says otherwise or nothing."""
    start = (cleaning.text_of(data[:20_000]) or "").lstrip()
    if start.upper().startswith("#EXTM3U"):
        return "m3u"
    if start.startswith("<") and re.search(r"<(?:\w+:)?playlist\b", start):
        return "xspf"
    for kind, endings in ENDINGS.items():
        if kind != "text" and file_name.lower().endswith(endings):
            return kind
    return "csv" if tables.looks_like_a_table(start) else "text"


def read_text(title: str, text: str) -> Playlist:
    """The playlist that lines tell: `Artist - Title`.

    The dash may be longer, or a tab; numbers and bullets may stand before, and a length such as `(3:45)` after it.
    Empty lines are nothing; other lines are counted as skipped. Its reference is its title. Raises `SourceError` if it is too long.
    """
    title = cleaning.name(title) or "Pasted list"
    _check_size(text)
    return _playlist("text", title, title, _tracks_of_lines(text))


class FileSource:
    """Lists of one kind in files of this machine; a reference is the absolute path. Implements `PlaylistSource`."""

    searches = False

    def __init__(self, kind: ListKind) -> None:
        self.name: str = kind
        self.title = TITLES[kind]
        self._kind: ListKind = kind

    def recognise(self, text: str) -> str | None:
        """The absolute path, if `text` is a path or `file://` address of a file that is there, of this kind."""
        text = text.strip().strip("\"'")
        if not text or len(text) > 4096 or not text.lower().endswith(ENDINGS[self._kind]):
            return None
        try:
            path = _path_of(text)
            return str(path.resolve()) if path and path.is_file() else None
        except (OSError, ValueError, RuntimeError):  # no name that the system could know, or no such user
            return None

    def fetch(self, reference: str, *, limit: int | None = None, on_progress: Progress = no_progress) -> Playlist:
        """The list in the file. Raises `SourceError` if the file is gone, unreadable, too large or damaged."""
        path = Path(reference)
        try:
            if self.recognise(reference) is None:
                raise FileNotFoundError(reference)
            if path.stat().st_size > MAX_BYTES:
                raise _too_large()
            data = path.read_bytes()
        except (OSError, ValueError) as error:
            raise SourceError(f"The file {cleaning.name(reference)} cannot be read: is it still there?") from error
        playlist = _read(self._kind, path.name, data, None, reference)
        kept = playlist.tracks if limit is None else playlist.tracks[:limit]
        on_progress(len(kept), len(playlist.tracks))
        return replace(playlist, tracks=kept)

    def search(self, words: str, *, limit: int = 10) -> list[PlaylistHit]:
        """Nothing: files are named, not searched."""
        return []


@dataclass
class _Found:
    """What a reader has read so far."""

    tracks: list[ListedTrack]
    skipped: dict[str, int]
    title: str = ""

    def add(self, track: ListedTrack) -> None:
        if len(self.tracks) == MAX_TRACKS:
            raise SourceError(f"This list has more than {MAX_TRACKS:,} tracks. Divide it into several files.")
        self.tracks.append(track)

    def skip(self, reason: str) -> None:
        self.skipped[reason] = self.skipped.get(reason, 0) + 1


def _read(kind: ListKind, file_name: str, data: bytes, columns: Mapping[str, str] | None, reference: str) -> Playlist:
    _check_size(data)
    if kind == "xspf":
        found = _tracks_of_xspf(data)
    else:
        text = cleaning.text_of(data)
        if text is None:
            raise SourceError(_NO_TEXT)
        readers: dict[str, Callable[[str], _Found]] = {"m3u": _tracks_of_m3u, "text": _tracks_of_lines}
        found = readers[kind](text) if kind in readers else _Found(*tables.tracks_of(tables.read_table(text), columns))
    return _playlist(kind, reference, found.title or cleaning.title_of_file(file_name), found)


def _playlist(kind: ListKind, reference: str, title: str, found: _Found) -> Playlist:
    return Playlist(kind, reference, title, tuple(found.tracks), skipped=found.skipped, n_listed=len(found.tracks))


def _check_size(content: bytes | str) -> None:
    if len(content) > MAX_BYTES:
        raise _too_large()


def _too_large() -> SourceError:
    return SourceError(f"This list is larger than {MAX_BYTES // 1_000_000} MB. Divide it into several.")


def _lines(text: str) -> Iterator[str]:
    """Lines with anything in them, their ends stripped."""
    return filter(None, (line[:MAX_LINE].strip() for line in text.splitlines()))


def _path_of(text: str) -> Path | None:
    """The path in a path or `file://` address; None if the address is of another machine."""
    if not text.lower().startswith("file:"):
        return Path(text).expanduser()
    parts = urlsplit(text)
    return Path(url2pathname(parts.path)) if parts.hostname in (None, "localhost") else None


# -- M3U ---------------------------------------------------------------------------------------------------------------


def _tracks_of_m3u(text: str) -> _Found:
    """Entries of an M3U: a path or address each, perhaps described by comments before it."""
    found = _Found([], {})
    told: dict[str, str] = {}  # by the comments since the last entry
    for line in _lines(text):
        if line.upper().startswith("#EXT-X-"):
            raise SourceError("This M3U is the plan of one stream (HLS), not a list of tracks.")
        if line.upper().startswith("#EXTINF") and "EXTINF" in told:
            found.skip("no address")
            told = {}
        if line.startswith("#"):
            _read_comment(line, told, found)
        else:
            _add_entry(line, told, found)
            told = {}
    if "EXTINF" in told:
        found.skip("no address")
    return found


def _read_comment(line: str, told: dict[str, str], found: _Found) -> None:
    if entry := _EXTINF.fullmatch(line):
        told |= {"EXTINF": entry[2], "seconds": entry[1] or ""}
    elif comment := re.fullmatch(r"#(PLAYLIST|EXTART|EXTALB)\b:?\s*(.*)", line, re.IGNORECASE):
        if comment[1].upper() == "PLAYLIST":
            found.title = found.title or cleaning.name(comment[2])
        else:
            told[comment[1].upper()] = comment[2]


def _add_entry(line: str, told: dict[str, str], found: _Found) -> None:
    """A path or address, with the artist and title that were told of it, or else those in its name."""
    artist, title = cleaning.artist_and_title(told.get("EXTINF", ""))
    if not title:
        artist, title = cleaning.artist_and_title_of_file(line)
    if not title:
        found.skip("no title")
        return
    artists = cleaning.artist_names([told.get("EXTART", "") or artist])
    length = cleaning.duration_s(told.get("seconds", ""))
    album = cleaning.name(told.get("EXTALB", ""))
    url = cleaning.address(line)
    found.add(ListedTrack(title, artists, album, length, source_id=cleaning.name(line), url=url))


# -- XSPF --------------------------------------------------------------------------------------------------------------


def _tracks_of_xspf(data: bytes) -> _Found:
    """Tracks of an XSPF (xspf.org, version 1; lengths are in milliseconds)."""
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:  # a ValueError: entities, or an encoding nobody can read
        raise SourceError("This XSPF is damaged, or holds what a playlist does not need. Export it again.") from error
    if _tag(root) != "playlist":
        raise SourceError("This XML file is no XSPF playlist.")
    found = _Found([], {}, title=cleaning.name(_texts(root, "title")[0]))
    for tracks in (child for child in root if _tag(child) == "trackList"):
        for track in (child for child in tracks if _tag(child) == "track"):
            _add_xspf_track(track, found)
    return found


def _add_xspf_track(track: Element, found: _Found) -> None:
    location, identifier = _texts(track, "location")[0], _texts(track, "identifier")[0]
    artists, title = _texts(track, "creator"), cleaning.name(_texts(track, "title")[0])
    if not title:
        artist, title = cleaning.artist_and_title_of_file(unquote(location))
        artists = artists if any(artists) else [artist]
    if not title:
        found.skip("no title")
        return
    found.add(
        ListedTrack(
            title,
            cleaning.artist_names(artists),
            cleaning.name(_texts(track, "album")[0]),
            cleaning.duration_s(_texts(track, "duration")[0], unit_s=0.001),
            next(
                (code for one in _texts(track, "identifier") if (code := cleaning.isrc(one.rpartition(":")[2]))), None
            ),
            cleaning.name(identifier or location),
            cleaning.address(location) or cleaning.address(identifier),
        )
    )


def _tag(element: Element) -> str:
    """The name without its namespace; '' for comments."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _texts(element: Element, tag: str) -> list[str]:
    """What the children of that name say; `['']` if there is none."""
    return [(child.text or "").strip() for child in element if _tag(child) == tag] or [""]


# -- lines -------------------------------------------------------------------------------------------------------------


def _tracks_of_lines(text: str) -> _Found:
    found = _Found([], {})
    for line in _lines(text):
        artist, title, length = _read_line(line)
        if artist and title:
            found.add(ListedTrack(title, cleaning.artist_names([artist]), duration_s=length))
        else:
            found.skip("no artist and title")
    return found


def _read_line(line: str) -> tuple[str, str, float | None]:
    """Artist, title and length of a line; artist '' if it tells none."""
    if "\t" in line:
        return _read_cells([cell.strip() for cell in line.split("\t") if cell.strip()])
    line = _BULLET.sub("", " ".join(line.split()))
    clock = _TRAILING_CLOCK.search(line)
    artist, title = cleaning.artist_and_title(line[: clock.start()] if clock else line)
    if clock and not artist:  # then it was no length: "Artist - (4:44)"
        artist, title = cleaning.artist_and_title(line)
        clock = None
    return artist, title, cleaning.duration_s(clock[1]) if clock else None


def _read_cells(cells: list[str]) -> tuple[str, str, float | None]:
    """The same for cells between tabs: perhaps a number, artist, title, perhaps more and a length."""
    length = None
    if len(cells) > 2 and _CLOCK.fullmatch(cells[-1]):
        length = cleaning.duration_s(cells.pop().strip("()[]"))
    if len(cells) > 2 and re.fullmatch(r"#?\d{1,4}[.)]?", cells[0]):
        cells = cells[1:]
    if len(cells) < 2:
        artist, title, own = _read_line(" ".join(cells))
        return artist, title, length or own
    return cleaning.name(cells[0]), cleaning.name(cells[1]), length
