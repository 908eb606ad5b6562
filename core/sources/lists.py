"""Playlists in files and from the clipboard: CSV, M3U, XSPF, and lines such as `Artist - Title`.

`read_list` reads an upload, `read_text` pasted text, a `FileSource` a file of this machine; all three find out by the content
what kind of list it is, and read it the same way. What is read stays text: no formula is computed, no address visited, no
entity of XML resolved.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from core import text_encoding
from core.errors import SourceError
from core.music import ListedTrack, ListKind, Playlist, PlaylistHit
from core.sources import cleaning, tables, tracklists
from core.sources.contract import Progress, no_progress
from core.sources.tables import guess_columns, preview_table

__all__ = [
    "FileSource",
    "guess_columns",
    "guessed_encoding",
    "looks_like",
    "preview_table",
    "read_list",
    "read_lists",
    "read_text",
]

MAX_BYTES = 50_000_000
MAX_TRACKS = tables.MAX_ROWS
START_BYTES = 20_000
"""Bytes of a file that say what kind of list it is."""
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

_EXTINF = re.compile(r'#EXTINF:\s*(-?\d+(?:\.\d+)?)?(?:\s+[\w-]+=(?:"[^"]*"|[^\s,"]*))*\s*,(.*)', re.IGNORECASE)


def read_list(
    file_name: str, data: bytes, *, columns: Mapping[str, str] | None = None, reference: str | None = None
) -> Playlist:
    """The playlist in the bytes of a file, of the kind that content and name say; all of it, if a table has several.

    Its title is the file's own or comes from `file_name`; `reference` is its identity for good, the file's name if not given.
    `columns` says which column of a table is which field (see `tables.guess_columns`). Rows that are no
    tracks are counted in `skipped`; rows that stand twice are kept twice. Raises `SourceError` if the file is too
    large, damaged, or of another kind.
    """
    kind: ListKind = "csv" if columns else looks_like(file_name, data)
    return _read(kind, file_name, data, columns, reference or _name_of(file_name))


def read_lists(
    file_name: str, data: bytes, *, columns: Mapping[str, str] | None = None, reference: str | None = None
) -> list[Playlist]:
    """The playlists in the bytes of a file: several if a table has a column of playlist names, else one. As `read_list`.

    Each of several has the reference `FILE#NAME`; rows without a playlist's name have that of the file.
    """
    reference = reference or _name_of(file_name)
    if not columns and looks_like(file_name, data) != "csv":
        return [read_list(file_name, data, reference=reference)]
    _check_size(data)
    table = tables.read_table(_text_of(data)[0], columns)
    parts = tables.divide(table, columns)
    if len(parts) == 1:
        return [_read("csv", file_name, data, columns, reference)]
    return [
        _playlist(
            "csv",
            f"{reference}#{name}" if name else reference,
            name or cleaning.title_of_file(file_name),
            _Found(*tables.tracks_of(part, columns)),
        )
        for name, part in parts.items()
    ]


def looks_like(file_name: str, data: bytes) -> ListKind:
    """The kind of a list: by the ending of its name, by its content where that says otherwise or nothing."""
    return _kind_of(file_name, cleaning.text_of(data[:START_BYTES]) or "")


def _kind_of(file_name: str, start: str) -> ListKind:
    start = start.lstrip()
    if start.upper().startswith("#EXTM3U"):
        return "m3u"
    if start.startswith("<") and re.search(r"<(?:\w+:)?playlist\b", start):
        return "xspf"
    for kind, endings in ENDINGS.items():
        if kind != "text" and file_name.lower().endswith(endings):
            return "text" if kind == "csv" and not tables.has_columns(start) else kind
    return "csv" if tables.looks_like_a_table(start) else "text"


def guessed_encoding(file_name: str, data: bytes) -> str:
    """The name of the encoding that a list will be read by, where it had to be guessed; else ''."""
    if len(data) > MAX_BYTES or looks_like(file_name, data) == "xspf":  # too large, or XML, which declares it
        return ""
    return text_encoding.NAMES.get(text_encoding.decode(data)[1], "")


def read_text(title: str, text: str) -> Playlist:
    """The playlist in pasted text: lines such as `Artist - Title` (see `tracklists`), or the text of any other list.

    Lines that are no tracks are counted in `skipped`. Its reference is its title. Raises `SourceError` if it is too long, or
    damaged.
    """
    title = cleaning.name(title) or "Pasted list"
    _check_size(text)
    found = _found(_kind_of("", text[:START_BYTES]), text, None)
    return _playlist("text", title, title, found)


class FileSource:
    """Lists of one kind in files of this machine. Implements `PlaylistSource`.

    A reference is the absolute path, or `PATH#NAME` for one of several playlists in a table.
    """

    searches = False

    def __init__(self, kind: ListKind) -> None:
        self.name: str = kind
        self.title = TITLES[kind]
        self._kind: ListKind = kind

    def recognise(self, text: str) -> str | None:
        """The reference, if `text` is a path or `file://` address of a list of this kind, by its content."""
        found = _list_at(text)
        if found is None:
            return None
        path, part = found
        try:
            with path.open("rb") as file:
                start = file.read(START_BYTES)
        except OSError:  # `fetch` says why
            start = b""
        return f"{path}{part}" if looks_like(path.name, start) == self._kind else None

    def fetch(self, reference: str, *, limit: int | None = None, on_progress: Progress = no_progress) -> Playlist:
        """The list in the file. Raises `SourceError` if the file is gone, unreadable, too large or damaged."""
        path, part, data = _open(reference)
        if part:
            lists = read_lists(path.name, data, reference=str(path))
            playlist = next((one for one in lists if one.reference == reference), None)
            if playlist is None:
                raise SourceError(f"{cleaning.name(str(path))} has no playlist “{cleaning.name(part[1:])}” any more.")
        else:
            playlist = read_list(path.name, data, reference=reference)
        playlist = replace(playlist, source=self.name)  # its identity stays when its content becomes of another kind
        kept = playlist.tracks if limit is None else playlist.tracks[:limit]
        on_progress(len(kept), len(playlist.tracks))
        return replace(playlist, tracks=kept)

    def playlists_in(self, reference: str) -> list[str]:
        """The references of all playlists in a file: itself if there is one, or if the file cannot be read."""
        try:
            path, part, data = _open(reference)
            lists = [] if part else read_lists(path.name, data, reference=reference)
        except SourceError:  # `fetch` says why
            lists = []
        return [one.reference for one in lists] if len(lists) > 1 else [reference]

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
    content, encoding = (data, "") if kind == "xspf" else _text_of(data)  # the XML reader finds the encoding itself
    found = _found(kind, content, columns)
    playlist = _playlist(kind, reference, found.title or cleaning.title_of_file(file_name), found)
    return replace(playlist, encoding=encoding)


def _found(kind: ListKind, content: str | bytes, columns: Mapping[str, str] | None) -> _Found:
    if kind == "xspf" or isinstance(content, bytes):
        return _tracks_of_xspf(content)
    if kind == "m3u":
        return _tracks_of_m3u(content)
    if kind == "csv":
        table = tables.read_table(content, columns)
        names = tables.divide(table, columns)
        return _Found(*tables.tracks_of(table, columns), title=next(iter(names)) if len(names) == 1 else "")
    found = _Found([], {})
    tracks, found.skipped = tracklists.tracks_of(content)
    for track in tracks:
        found.add(track)
    return found


def _playlist(kind: ListKind, reference: str, title: str, found: _Found) -> Playlist:
    return Playlist(kind, reference, title, tuple(found.tracks), skipped=found.skipped, n_listed=len(found.tracks))


def _text_of(data: bytes) -> tuple[str, str]:
    """The text of a list, and its encoding where that was guessed (see `text_encoding.decode`)."""
    text, encoding = text_encoding.decode(data)
    if text is None:
        raise SourceError("This file holds no text that can be read: it is no list of tracks.")
    return text, encoding


def _name_of(file_name: str) -> str:
    return cleaning.name(file_name) or "Playlist"


def _check_size(content: bytes | str) -> None:
    if len(content) > MAX_BYTES:
        raise _too_large()


def _too_large() -> SourceError:
    return SourceError(f"This list is larger than {MAX_BYTES // 1_000_000} MB. Divide it into several.")


def _open(reference: str) -> tuple[Path, str, bytes]:
    """Path, `#NAME` or '', and content of a file; `SourceError` if it cannot be read."""
    try:
        found = _list_at(reference)
        if found is None:
            raise FileNotFoundError(reference)
        path, part = found
        if path.stat().st_size > MAX_BYTES:
            raise _too_large()
        return path, part, path.read_bytes()
    except (OSError, ValueError) as error:
        raise SourceError(f"The file {cleaning.name(reference)} cannot be read: is it still there?") from error


def _list_at(text: str) -> tuple[Path, str] | None:
    """The absolute path of the file that a path or `file://` address names, if it is there and ends like a list.

    With it `#NAME`, where that names one of the playlists in the file.
    """
    text = text.strip().strip("\"'")
    if not text or len(text) > 4096:
        return None
    for place in (len(text), *(place for place, ch in enumerate(text) if ch == "#")):
        if not text[:place].lower().endswith(sum(ENDINGS.values(), ())):
            continue
        try:
            path = _path_of(text[:place])
            if path and path.is_file():
                return path.resolve(), text[place:]
        except (OSError, ValueError, RuntimeError):  # no name that the system could know, or no such user
            continue
    return None


def _path_of(text: str) -> Path | None:
    """The path in a path or `file://` address; None if the address is of another machine."""
    if not text.lower().startswith("file:"):
        return Path(text).expanduser()
    parts = urlsplit(text)
    return Path(url2pathname(parts.path)) if parts.hostname in (None, "localhost") else None


# -- M3U ---------------------------------------------------------------------------------------------------------------


@dataclass
class _Entry:
    """What an M3U or XSPF says of a track: its `text` is a title, `Artist - Title` or `Title - Artist`."""

    text: str
    location: str
    rest: ListedTrack
    """All but the title; no artists if they are not given apart."""


def _add_entries(entries: Sequence[_Entry], found: _Found) -> None:
    """Add the entries as tracks. Where a path says whether artist or title comes first, it decides; else the majority."""
    decided = [None if entry.rest.artists else _by_path(entry) for entry in entries]
    clear = [way.title_first for way in decided if way]
    title_first = sum(clear) * 2 > len(clear)
    for entry, way in zip(entries, decided, strict=True):
        if entry.rest.artists:
            artist, title = "", cleaning.name(entry.text)
        elif way:
            artist, title = way.artist, way.title
        elif title_first and (divided := cleaning.divisions(entry.text)):
            title, artist = divided[-1]
        else:
            artist, title = cleaning.artist_and_title(entry.text)
        if not title:
            artist, title = cleaning.artist_and_title_of_file(entry.location)
        if not title:
            found.skip("no title")
            continue
        artist = artist or cleaning.artist_in_path(title, entry.rest.album, entry.location)
        artists = entry.rest.artists or cleaning.artist_names([artist])
        found.add(replace(entry.rest, title=title, artists=artists))


@dataclass(frozen=True)
class _Way:
    """A way to read an entry."""

    title_first: bool
    artist: str
    title: str


def _by_path(entry: _Entry) -> _Way | None:
    """The way to read an entry with which the path of its file agrees more than with the other order; None if it does not."""
    best: dict[bool, tuple[int, _Way]] = {}
    for left, right in cleaning.divisions(entry.text):
        for way in (_Way(False, left, right), _Way(True, right, left)):
            likeness = cleaning.likeness_to_path(way.artist, way.title, entry.location)
            if way.title_first not in best or likeness > best[way.title_first][0]:
                best[way.title_first] = likeness, way
    if not best or best[True][0] == best[False][0]:
        return None
    return max(best.values(), key=lambda one: one[0])[1]


def _tracks_of_m3u(text: str) -> _Found:
    """Entries of an M3U: a path or address each, perhaps described by comments before it."""
    found = _Found([], {})
    entries: list[_Entry] = []
    told: dict[str, str] = {}  # by the comments since the last entry
    for line in tracklists.lines_of(text):
        if line.upper().startswith("#EXT-X-"):
            raise SourceError("This M3U is the plan of one stream (HLS), not a list of tracks.")
        if line.upper().startswith("#EXTINF") and "EXTINF" in told:
            found.skip("no address")
            told = {}
        if line.startswith("#"):
            _read_comment(line, told, found)
        else:
            entries.append(_entry_of_m3u(line, told))
            told = {}
    if "EXTINF" in told:
        found.skip("no address")
    _add_entries(entries, found)
    return found


def _read_comment(line: str, told: dict[str, str], found: _Found) -> None:
    if entry := _EXTINF.fullmatch(line):
        told |= {"EXTINF": entry[2], "seconds": entry[1] or ""}
    elif comment := re.fullmatch(r"#(PLAYLIST|EXTART|EXTALB)\b:?\s*(.*)", line, re.IGNORECASE):
        if comment[1].upper() == "PLAYLIST":
            found.title = found.title or cleaning.name(comment[2])
        else:
            told[comment[1].upper()] = comment[2]


def _entry_of_m3u(line: str, told: dict[str, str]) -> _Entry:
    text, artists = told.get("EXTINF", ""), cleaning.artist_names([told.get("EXTART", "")])
    if artists:  # the text may name the artist again
        text = next((right for left, right in cleaning.divisions(text) if left in artists), text)
    length = cleaning.duration_s(told.get("seconds", ""))
    album = cleaning.name(told.get("EXTALB", ""))
    rest = ListedTrack("", artists, album, length, source_id=cleaning.name(line), url=cleaning.address(line))
    return _Entry(text, line, rest)


# -- XSPF --------------------------------------------------------------------------------------------------------------


def _tracks_of_xspf(data: bytes | str) -> _Found:
    """Tracks of an XSPF (xspf.org, version 1; lengths are in milliseconds)."""
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, ValueError, LookupError) as error:  # a ValueError: entities, or an encoding nobody can read
        raise SourceError("This XSPF is damaged, or holds what a playlist does not need. Export it again.") from error
    if _tag(root) != "playlist":
        raise SourceError("This XML file is no XSPF playlist.")
    found = _Found([], {}, title=cleaning.name(_texts(root, "title")[0]))
    for tracks in (child for child in root if _tag(child) == "trackList"):
        _add_entries([_entry_of_xspf(track) for track in tracks if _tag(track) == "track"], found)
    return found


def _entry_of_xspf(track: Element) -> _Entry:
    location, identifier = _texts(track, "location")[0], _texts(track, "identifier")[0]
    path = unquote(location)
    artists, text = cleaning.artist_names(_texts(track, "creator")), _texts(track, "title")[0]
    if text and cleaning.name(path).endswith(f"/{cleaning.name(text)}"):  # VLC names files without tags so
        text = ""
    rest = ListedTrack(
        "",
        artists,
        cleaning.name(_texts(track, "album")[0]),
        cleaning.duration_s(_texts(track, "duration")[0], unit_s=0.001),
        next((code for one in _texts(track, "identifier") if (code := cleaning.isrc(one.rpartition(":")[2]))), None),
        cleaning.name(identifier or location),
        cleaning.address(location) or cleaning.address(identifier),
    )
    return _Entry(text, path, rest)


def _tag(element: Element) -> str:
    """The name without its namespace; '' for comments."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _texts(element: Element, tag: str) -> list[str]:
    """What the children of that name say; `['']` if there is none."""
    return [(child.text or "").strip() for child in element if _tag(child) == tag] or [""]
