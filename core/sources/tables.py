"""Playlists as tables: CSV of Exportify (both headers) and of anyone else.

A table's first row names its columns. `guess_columns` finds those that matter; a person may say it better.
"""

import csv
import io
import re
import statistics
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from core.errors import SourceError
from core.music import ListedTrack
from core.sources import cleaning

MAX_ROWS = 200_000
MAX_COLUMNS = 1_000
FIELDS = ("title", "artist", "album", "duration", "isrc", "url", "id")
"""What of a table is used; `title` is what it cannot do without."""

_SPELLINGS = {
    "title": "track name; track title; song title; song name; title; song; track; name; titel; liedtitel; lied; titre;"
    "morceau; chanson; titulo; cancion; nombre; musica; faixa; titolo; brano; canzone; nome; nummer; naam; tytul;"
    "utwor; nazwa; sang; kappale; sarki; название; трек; песня; 曲名; タイトル; 歌名; 标题; 歌曲; 제목; 곡명",
    "artist": "artist name s; artist names; artists; artist name; artist; track artist; artist s; performer; creator;"
    "band; interpret; kunstler; kuenstler; interprete; artiste; artistes; artista; artistas; artisti; cantante;"
    "artiest; uitvoerder; wykonawca; artysta; artistit; esittaja; sanatci; исполнитель; артист; アーティスト;"
    "アーティスト名; 艺术家; 歌手; 艺人; 아티스트; 가수; album artist; album artist name s; channel; uploader",
    "album": "album name; album; album title; release; release title; disque; disco; альбом; アルバム; 专辑; 앨범",
    "duration": "duration ms; track duration ms; duration; track duration; length; time; total time; duration s;"
    "duration seconds; lange; laenge; dauer; spieldauer; spielzeit; duree; duracion; durata; duracao; duur; czas;"
    "dlugosc; kesto; sure; длительность; время; 時間; 时长; 재생시간",
    "isrc": "isrc; isrc code; track isrc",
    "url": "url; link; track url; song url; spotify url; external url; web address; address; href; webpage url; lien;"
    "enlace; ссылка",
    "id": "track uri; spotify uri; spotify id; spotify track id; track id; uri; id; song id; video id; videoid",
}
_WORDS = {
    "title": {"title", "song", "track", "titel", "titre", "titulo", "titolo"},
    "artist": {"artist", "artists", "interpret", "artiste", "artista", "kunstler"},
    "album": {"album"},
    "duration": {"duration", "length", "dauer", "duree", "durata"},
    "isrc": {"isrc"},
    "url": {"url", "link"},
    "id": set[str](),
}
_OTHERS = {"album", "image", "preview", "number", "no", "nr", "count", "popularity", "genre", "genres", "date", "added"}
_OTHERS |= {"id", "ids", "uri", "uris"}
_ARTIST_IDS = {"artist ids", "artist id s", "artist uri s", "artist uris"}
_SPOTIFY_IDS = {"spotify id", "spotify track id", "track uri"}
_SPOTIFY_TRACK = re.compile(r"(?:spotify:track:|https?://open\.spotify\.com/(?:intl-\w+/)?track/)([A-Za-z0-9]{22})\b")
_SPOTIFY_ID = re.compile(r"[A-Za-z0-9]{22}")


@dataclass(frozen=True)
class Table:
    """A header, and rows as they stand (they may be shorter or longer than the header)."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class _Reader:
    """How a row becomes a track: which of its cells says what."""

    cell: Callable[[Sequence[str], str], str]
    duration_unit_s: float
    ids_are_spotify: bool


def preview_table(data: bytes, *, rows: int = 5) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The header of a table, and its first rows, cleaned for showing. Raises `SourceError` if it is no table."""
    text = cleaning.text_of(data)
    if text is None:
        raise SourceError("This file is no table of text.")
    header, body = _read(text)
    try:
        first = tuple(tuple(cleaning.name(cell) for cell in row) for row in islice(body, rows))
    except csv.Error as error:
        raise _damaged(error) from error
    return header, first


def read_table(text: str) -> Table:
    """All of a table. The delimiter (comma, semicolon or tab) is found by itself.

    Raises `SourceError` if it is empty, damaged, or larger than `MAX_ROWS` or `MAX_COLUMNS`.
    """
    header, body = _read(text)
    try:
        rows = tuple(islice(body, MAX_ROWS + 1))
    except csv.Error as error:
        raise _damaged(error) from error
    if len(rows) > MAX_ROWS:
        raise SourceError(f"This table has more than {MAX_ROWS:,} rows. Divide it into several files.")
    return Table(header, rows)


def guess_columns(header: Sequence[str]) -> dict[str, str]:
    """Which column says what: field of `FIELDS` to column, as far as the names tell it. A column has one meaning."""
    plain = [(_plain(column), column) for column in header]
    found: dict[str, str] = {}
    for field, spellings in _SPELLINGS.items():
        ranks = {_plain(spelling): rank for rank, spelling in enumerate(spellings.split(";"))}
        fitting = [(ranks[known], place) for place, (known, _) in enumerate(plain) if known in ranks]
        if fitting:
            found[field] = plain[min(fitting)[1]][1]
    for field, words in _WORDS.items():  # then names that only contain the word: "Song title (original)"
        foreign = _OTHERS.union(*_WORDS.values() if field == "title" else ()) - words
        for known, column in plain:
            told = set(known.split())
            if field not in found and column not in found.values() and told & words and not told & foreign:
                found[field] = column
    return found


def tracks_of(table: Table, columns: Mapping[str, str] | None = None) -> tuple[list[ListedTrack], dict[str, int]]:
    """The tracks of a table, and how many rows are none, by reason. Rows that stand twice come twice.

    `columns` says which column is which field; without it they are guessed. Raises `SourceError` if a column is not
    there, or none holds titles.
    """
    reader = _reader(table, columns)
    tracks: list[ListedTrack] = []
    skipped: dict[str, int] = {}
    for row in table.rows:
        reason = _reason_to_skip(reader, row)
        if reason is None:
            tracks.append(_track(reader, row))
        elif reason:
            skipped[reason] = skipped.get(reason, 0) + 1
    return tracks, skipped


def looks_like_a_table(text: str) -> bool:
    """Whether the first line names a column of titles and one more that is known."""
    try:
        header, _ = _read(text[:20_000])
    except SourceError:
        return False
    found = guess_columns(header)
    return "title" in found and len(found) > 1


def _read(text: str) -> tuple[tuple[str, ...], Iterator[tuple[str, ...]]]:
    """Header, and an iterator of rows with anything in them."""
    lines = io.StringIO(text, newline="")
    first = lines.readline()
    told = re.fullmatch(r"\"?sep=(.)\"?\s*", first)  # as spreadsheets write it
    if told is None:
        lines.seek(0)
    try:
        reader = csv.reader(lines, delimiter=told[1] if told else _delimiter(first))
        rows = (tuple(row) for row in reader if any(cell.strip() for cell in row))
        columns = next(rows, ())
    except (csv.Error, TypeError) as error:  # a TypeError tells a delimiter that cannot be one
        raise _damaged(error) from error
    if len(columns) > MAX_COLUMNS:
        raise SourceError(f"This table has more than {MAX_COLUMNS:,} columns. It is no list of tracks.")
    header = tuple(cleaning.name(column) for column in columns)
    if not any(header):
        raise SourceError("This table is empty.")
    return header, rows


def _delimiter(line: str) -> str:
    """What the first line is divided by; what stands in quotes does not count."""
    outside = re.sub(r'"[^"]*"', "", line)
    return max(",;\t", key=outside.count)


def _damaged(error: Exception) -> SourceError:
    return SourceError(f"This table is damaged and cannot be read ({error}). Export it again.")


def _plain(column: str) -> str:
    """A column's name for comparing: `Artist Name(s)` is `artist name s`."""
    bare = "".join(ch for ch in unicodedata.normalize("NFKD", column) if not unicodedata.combining(ch))
    composed = unicodedata.normalize("NFC", bare)
    return " ".join(re.findall(r"[^\W_]+", composed.casefold()))


def _reader(table: Table, columns: Mapping[str, str] | None) -> _Reader:
    chosen = guess_columns(table.header) if columns is None else {field: col for field, col in columns.items() if col}
    if unknown := [field for field in chosen if field not in FIELDS]:
        raise SourceError(f"“{unknown[0]}” is nothing that a table tells. It is one of: {', '.join(FIELDS)}.")
    if missing := [column for column in chosen.values() if column not in table.header]:
        raise SourceError(f"This table has no column “{missing[0]}”. It has: {_listed(table.header)}.")
    if "title" not in chosen:
        raise SourceError(f"No column of this table seems to hold titles. Say which; it has: {_listed(table.header)}.")
    places = {field: table.header.index(column) for field, column in chosen.items()}
    plain = [_plain(column) for column in table.header]
    if with_ids := [place for place, column in enumerate(plain) if column in _ARTIST_IDS]:
        places["artist ids"] = with_ids[0]

    def cell(row: Sequence[str], field: str) -> str:
        place = places.get(field, len(row))
        return row[place] if place < len(row) else ""

    lengths = (cell(row, "duration") for row in table.rows)
    return _Reader(
        cell,
        _unit_s(_plain(chosen.get("duration", "")), lengths),
        _plain(chosen.get("id", "")) in _SPOTIFY_IDS,
    )


def _listed(header: Sequence[str]) -> str:
    return ", ".join(header[:20]) + (" …" if len(header) > 20 else "")


def _unit_s(column: str, lengths: Iterator[str]) -> float:
    """Seconds in one unit of a column of lengths: as its name says, else as its numbers look."""
    told = set(column.split())
    if told & {"ms", "milliseconds", "millisecond", "msec"}:
        return 0.001
    if told & {"s", "sec", "secs", "seconds", "second"}:
        return 1.0
    numbers = [float(length) for length in islice(lengths, 1000) if re.fullmatch(r"\s*\d{1,12}\s*", length)]
    return 0.001 if numbers and statistics.median(numbers) > 10_000 else 1.0  # few songs last three hours


def _reason_to_skip(reader: _Reader, row: Sequence[str]) -> str | None:
    if not cleaning.name(reader.cell(row, "title")):
        return "no title"
    if ":episode:" in reader.cell(row, "id"):
        return "podcast"
    return None


def _track(reader: _Reader, row: Sequence[str]) -> ListedTrack:
    source_id, url = _identity(reader, reader.cell(row, "id").strip(), reader.cell(row, "url").strip())
    return ListedTrack(
        title=cleaning.name(reader.cell(row, "title")),
        artists=cleaning.artist_names(_artists(reader.cell(row, "artist"), reader.cell(row, "artist ids"))),
        album=cleaning.name(reader.cell(row, "album")),
        duration_s=cleaning.duration_s(reader.cell(row, "duration"), unit_s=reader.duration_unit_s),
        isrc=cleaning.isrc(reader.cell(row, "isrc")),
        source_id=source_id,
        url=url,
    )


def _identity(reader: _Reader, said_id: str, said_url: str) -> tuple[str, str]:
    """Id and address of a track; Spotify's are known by their form."""
    bare = reader.ids_are_spotify and _SPOTIFY_ID.fullmatch(said_id)
    for spotify in (_SPOTIFY_TRACK.match(said_id), bare, _SPOTIFY_TRACK.match(said_url)):
        if spotify:
            track_id = spotify[spotify.re.groups]
            return track_id, f"https://open.spotify.com/track/{track_id}"
    return cleaning.name(said_id), cleaning.address(said_url) or cleaning.address(said_id)


def _artists(said: str, ids: str) -> Sequence[str]:
    """The names in an artist cell.

    `;` always joins. `,` joins only where the table also lists the artists' ids (the older Exportify), and these say
    how many names there are: one id, one name ("Earth, Wind & Fire"). Where the commas allow several readings, that
    with the right number is taken, and one without blanks after its commas first ("Tyler, The Creator,Kali Uchis").
    If none has it, the names are divided at every comma without a blank after it: some may stay together.
    """
    if ";" in said:
        return said.split(";")
    count = len([one for one in re.split(r"[,;]", ids) if one.strip()])
    if count < 2:
        return [said.replace("\\,", ",")]
    readings = [
        [part.replace("\\,", ",") for part in re.split(comma, said)] for comma in (r"(?<!\\),(?! )", r"(?<!\\),")
    ]
    return next((names for names in readings if len(names) == count), readings[0])
