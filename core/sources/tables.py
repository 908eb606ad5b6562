"""Playlists as tables: CSV of Exportify (both headers) and of anyone else.

The header is the first row whose names are known, within the first 20; lines before it are no tracks. A first row that is
itself a track is kept: such a table has no header, and its columns are `Column 1`, `Column 2`, ... `guess_columns` finds the
columns that matter; a person may choose others. A row that does not fit the header is not read, but counted.
"""

import csv
import io
import re
import statistics
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

from core.errors import SourceError
from core.music import ListedTrack
from core.sources import cleaning

MAX_ROWS = 200_000
MAX_COLUMNS = 1_000
MAX_PLAYLISTS = 500
FIELDS = ("title", "artist", "album", "duration", "isrc", "url", "id", "playlist")
"""What of a table is used; `title` is what it cannot do without. `playlist` divides a table into several playlists."""
_HEAD_ROWS = 20
"""Rows in which a header is looked for."""

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
    "playlist": "playlist name; playlist title; playlist; playlistname; nom de la playlist; nombre de la playlist;"
    "nome da playlist; nome playlist; wiedergabeliste; плейлист; название плейлиста; プレイリスト; 播放列表; 재생목록",
}
_WORDS = {
    "title": {"title", "song", "track", "titel", "titre", "titulo", "titolo"},
    "artist": {"artist", "artists", "interpret", "artiste", "artista", "kunstler"},
    "album": {"album"},
    "duration": {"duration", "length", "dauer", "duree", "durata"},
    "isrc": {"isrc"},
    "url": {"url", "link"},
    "id": set[str](),
    "playlist": set[str](),
}
_OTHERS = {
    "playlist",
    "album",
    "image",
    "preview",
    "number",
    "no",
    "nr",
    "count",
    "popularity",
    "genre",
    "genres",
    "date",
    "added",
}
_OTHERS |= {"id", "ids", "uri", "uris"}
_ARTIST_IDS = {"artist ids", "artist id s", "artist uri s", "artist uris"}
_SPOTIFY_IDS = {"spotify id", "spotify track id", "track uri"}
_SPOTIFY_TRACK = re.compile(r"(?:spotify:track:|https?://open\.spotify\.com/(?:intl-\w+/)?track/)([A-Za-z0-9]{22})\b")
_NUMBER_CELL = re.compile(r"[\s\d.,'’]*\d\s*")
_SPOTIFY_ID = re.compile(r"[A-Za-z0-9]{22}")


@dataclass(frozen=True)
class Table:
    """A header, and rows as they stand (they may be shorter or longer than the header); `before` lines preceded it."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    before: int = 0


@dataclass(frozen=True)
class _Reader:
    """How a row becomes a track: which of its cells says what."""

    cell: Callable[[Sequence[str], str], str]
    width: int
    needed: int
    """Cells that a row needs, for title and artist to be among them."""
    duration_unit_s: float
    minutes_first: bool
    ids_are_spotify: bool


def preview_table(
    data: bytes, *, rows: int = 5, has_header: bool | None = None
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The header of a table, and its first rows, cleaned for showing. Raises `SourceError` if it is no table.

    `has_header` says whether the first row names the columns; None: find out.
    """
    text = cleaning.text_of(data)
    if text is None:
        raise SourceError("This file is no table of text.")
    header, body, _ = _read(text, has_header=has_header)
    try:
        first = tuple(tuple(cleaning.name(cell) for cell in row) for row in islice(body, rows))
    except csv.Error as error:
        raise _damaged(error) from error
    return header, first


def read_table(text: str, columns: Mapping[str, str] | None = None) -> Table:
    """All of a table. The delimiter (comma, semicolon, tab or bar) and the header are found by themselves.

    Where `columns` chooses columns by the names in the first row, that is the header. Raises `SourceError` if the table is
    empty, damaged, or larger than `MAX_ROWS` or `MAX_COLUMNS`.
    """
    header, body, before = _read(text, chosen=columns)
    try:
        rows = tuple(islice(body, MAX_ROWS + 1))
    except csv.Error as error:
        raise _damaged(error) from error
    if len(rows) > MAX_ROWS:
        raise SourceError(f"This table has more than {MAX_ROWS:,} rows. Divide it into several files.")
    return Table(header, rows, before)


def divide(table: Table, columns: Mapping[str, str] | None = None) -> dict[str, Table]:
    """The playlists of a table by name, in their order; '' has the rows without a name. One table, by '', if it names none."""
    chosen = guess_columns(table.header) if columns is None else columns
    if chosen.get("playlist") not in table.header:
        return {"": table}
    place = table.header.index(chosen["playlist"])
    rows: dict[str, list[tuple[str, ...]]] = {}
    for row in table.rows:
        rows.setdefault(cleaning.name(row[place]) if place < len(row) else "", []).append(row)
    if len(rows) > MAX_PLAYLISTS:
        raise SourceError(
            f"The column “{chosen['playlist']}” names more than {MAX_PLAYLISTS:,} playlists. Divide the table into several files."
        )
    parts = {name: Table(table.header, tuple(part)) for name, part in rows.items()} or {"": table}
    first = next(iter(parts))
    return parts | {first: replace(parts[first], before=table.before)}


def guess_columns(header: Sequence[str]) -> dict[str, str]:
    """Which column says what: field of `FIELDS` to column, as far as the names tell it. A column has one meaning."""
    plain = [(_plain(column), column) for column in header]
    found: dict[str, str] = {}
    for field, ranks in _PLAIN_SPELLINGS.items():
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
    skipped = {"before the header": table.before} if table.before else {}
    for row in table.rows:
        reason = _reason_to_skip(reader, row)
        if reason is None:
            tracks.append(_track(reader, row))
        else:
            skipped[reason] = skipped.get(reason, 0) + 1
    return tracks, skipped


def looks_like_a_table(text: str) -> bool:
    """Whether text begins with a header that names a column of titles and one more, and a row below it."""
    head = _head(text)
    place = _header_place(head) if head else None
    if place is None or len(head) == place + 1:
        return False
    found = guess_columns(_names(head[place]))
    return "title" in found and len(found) > 1


def has_columns(text: str) -> bool:
    """Whether text is divided into columns, or has a header: else it is lines of text, whatever the file is called."""
    head = _head(text)
    return any(len(row) > 1 for row in head) or not head or _header_place(head) is not None


def _read(
    text: str, *, chosen: Mapping[str, str] | None = None, has_header: bool | None = None
) -> tuple[tuple[str, ...], Iterator[tuple[str, ...]], int]:
    """Header, an iterator of rows with anything in them, and the number of rows before the header."""
    delimiter, begin = _delimiter(text)
    lines = io.StringIO(text, newline="")
    lines.seek(begin)
    try:
        rows = _rows(lines, delimiter)
        head = list(islice(rows, _HEAD_ROWS))
    except csv.Error as error:
        raise _damaged(error) from error
    if any(len(row) > MAX_COLUMNS for row in head):
        raise SourceError(f"This table has more than {MAX_COLUMNS:,} columns. It is no list of tracks.")
    if not head:
        raise SourceError("This table is empty.")
    place = _header_place(head) if has_header is None else 0 if has_header else None
    if names := {column for column in (chosen or {}).values() if column}:
        place = next((at for at in (place, 0, None) if names <= set(_header(head, at))), place)
    return _header(head, place), chain(head if place is None else head[place + 1 :], rows), place or 0


def _header(head: Sequence[Sequence[str]], place: int | None) -> tuple[str, ...]:
    return _numbered(max(map(len, head))) if place is None else _names(head[place])


def _rows(lines: io.StringIO, delimiter: str) -> Iterator[tuple[str, ...]]:
    """Rows with anything in them."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    return (tuple(row) for row in reader if any(cell.strip(" \t,;|") for cell in row))


def _names(row: Sequence[str]) -> tuple[str, ...]:
    return tuple(cleaning.name(column) for column in row)


def _numbered(width: int) -> tuple[str, ...]:
    """The names of the columns of a table without a header."""
    return tuple(f"Column {number}" for number in range(1, width + 1))


def is_without_header(header: Sequence[str]) -> bool:
    """Whether `header` only numbers the columns of a table that has none."""
    return tuple(header) == _numbered(len(header))


def _head(text: str) -> list[tuple[str, ...]]:
    """The first rows of a text that may be a table; none if it is none."""
    sample = text[:20_000]
    try:
        delimiter, begin = _delimiter(sample)
        lines = io.StringIO(sample, newline="")
        lines.seek(begin)
        return [row for row in islice(_rows(lines, delimiter), _HEAD_ROWS) if len(row) <= MAX_COLUMNS]
    except (csv.Error, SourceError):
        return []


def _delimiter(text: str) -> tuple[str, int]:
    """What divides the columns, and where the table begins: after a line such as `sep=;`, as spreadsheets write it.

    It is the delimiter by which the first rows have a header with most known names; else that by which they have the most
    cells, all of them more than one.
    """
    if told := re.match(r"\"?sep=([^\"\r\n])\"?[ \t]*(?:\r\n?|\n|$)", text):
        return told[1], told.end()

    def merit(delimiter: str) -> tuple[int, int, int]:
        try:
            head = list(islice(_rows(io.StringIO(text[:20_000], newline=""), delimiter), _HEAD_ROWS))
        except csv.Error:
            return 0, 0, 0
        place = _header_place(head)
        widths = [len(row) for row in head]
        known = len(_exact_columns(head[place])) if place is not None else 0
        return known, min(widths, default=1), sum(widths)

    return max(",;\t|", key=merit), 0


def _header_place(head: Sequence[Sequence[str]]) -> int | None:
    """Which of the first rows is the header; None if the first row is no header, and none below it is one for certain.

    A row is one if it names titles and one more column exactly. Else the first row is one if it holds no clock and no address,
    and nothing that stands below it again, and names the column of titles, that of artists, or two others; names that only
    contain a known word ("Song A") count as long as the next row has no such names. So is a first row above a column of
    nothing but numbers, clocks or addresses.
    """
    if not head or any(len(row) > MAX_COLUMNS for row in head):
        return None
    exact = [_exact_columns(row) for row in head]
    if "title" in exact[0] and len(head[0]) == 1:
        return 0
    for place, found in enumerate(exact):
        if "title" in found and len(found) > 1 and not any(map(_is_data, head[place])):
            return place
    repeated = any(
        cell in [row[place] for row in head[1:] if place < len(row)] for place, cell in enumerate(head[0]) if cell
    )
    if repeated or any(map(_is_data, head[0])):
        return None
    if {"title", "artist", "isrc"} & set(exact[0]) or len(exact[0]) > 1:
        return 0
    guessed = guess_columns(_names(head[0]))
    if len(guessed) > 1 and len(head) > 1 and guess_columns(_names(head[1])).keys() != guessed.keys():
        return 0
    for place, name in enumerate(head[0]):
        below = [row[place] for row in head[1:] if place < len(row)]
        if (
            name.strip()
            and not _is_number(name)
            and below
            and all(_is_number(cell) or _is_data(cell) for cell in below)
        ):
            return 0
    return None


def _exact_columns(row: Sequence[str]) -> set[str]:
    """The fields whose column a row names by a known name."""
    plain = {_plain(cell) for cell in row}
    return {field for field, spellings in _PLAIN_SPELLINGS.items() if plain & spellings.keys()}


def _is_data(cell: str) -> bool:
    """Whether a cell can be no name of a column: a clock, an address, a code."""
    cell = cell.strip()
    is_length = not _is_number(cell) and cleaning.duration_s(cell) is not None
    return bool(is_length or cleaning.address(cell) or cleaning.isrc(cell) or _SPOTIFY_TRACK.match(cell))


def _is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"\s*[\d.,]*\d\s*", cell))


def _damaged(error: Exception) -> SourceError:
    return SourceError(f"This table is damaged and cannot be read ({error}). Export it again.")


def _plain(column: str) -> str:
    """A column's name for comparing: `Artist Name(s)` is `artist name s`."""
    bare = "".join(ch for ch in unicodedata.normalize("NFKD", column) if not unicodedata.combining(ch))
    composed = unicodedata.normalize("NFC", bare)
    return " ".join(re.findall(r"[^\W_]+", composed.casefold()))


_PLAIN_SPELLINGS = {
    field: {_plain(spelling): rank for rank, spelling in enumerate(spellings.split(";"))}
    for field, spellings in _SPELLINGS.items()
}


def _reader(table: Table, columns: Mapping[str, str] | None) -> _Reader:
    chosen = guess_columns(table.header) if columns is None else {field: col for field, col in columns.items() if col}
    if unknown := [field for field in chosen if field not in FIELDS]:
        raise SourceError(f"“{unknown[0]}” is nothing that a table tells. It is one of: {', '.join(FIELDS)}.")
    if missing := [column for column in chosen.values() if column not in table.header]:
        raise SourceError(f"This table has no column “{missing[0]}”. It has: {_listed(table.header)}.")
    if "title" not in chosen and is_without_header(table.header):
        first = ", ".join(map(cleaning.name, table.rows[0]))[:100]
        raise SourceError(
            f"This table has no header: its first row is “{first}”. Add a row above it that names the columns, such as "
            "`artist,title`, or choose the columns on the Playlists page."
        )
    if "title" not in chosen:
        raise SourceError(f"No column of this table seems to hold titles. Say which; it has: {_listed(table.header)}.")
    places = {field: table.header.index(column) for field, column in chosen.items()}
    plain = [_plain(column) for column in table.header]
    if with_ids := [place for place, column in enumerate(plain) if column in _ARTIST_IDS]:
        places["artist ids"] = with_ids[0]

    def cell(row: Sequence[str], field: str) -> str:
        place = places.get(field, len(row))
        return row[place] if place < len(row) else ""

    lengths = [cell(row, "duration") for row in table.rows[:1000]]
    name_of_lengths = _plain(chosen.get("duration", ""))
    return _Reader(
        cell,
        len(table.header),
        1 + max(places[field] for field in ("title", "artist") if field in places),
        _unit_s(name_of_lengths, lengths),
        _minutes_first(name_of_lengths, lengths),
        _plain(chosen.get("id", "")) in _SPOTIFY_IDS,
    )


def _listed(header: Sequence[str]) -> str:
    return ", ".join(header[:20]) + (" …" if len(header) > 20 else "")


def _unit_s(column: str, lengths: Sequence[str]) -> float:
    """Seconds in one unit of a column of lengths: as its name says, else as its numbers look."""
    told = set(column.split())
    if told & {"ms", "milliseconds", "millisecond", "msec"}:
        return 0.001
    if told & {"s", "sec", "secs", "seconds", "second"}:
        return 1.0
    if told & {"min", "mins", "minutes", "minute", "minuten"}:
        return 60.0
    numbers = [cleaning.duration_s(length, unit_s=0.001) for length in lengths if _NUMBER_CELL.fullmatch(length)]
    known = [number for number in numbers if number is not None]
    return 0.001 if known and statistics.median(known) > 10 else 1.0  # few songs last three hours (10,000 s)


def _minutes_first(column: str, lengths: Sequence[str]) -> bool:
    """Whether clocks such as `03:45:00` are minutes and seconds, which a spreadsheet took for hours and minutes.

    They are if the column's name says so; else if every clock of three parts ends in `:00`, and at least half of them would
    be an hour or longer.
    """
    told = set(column.split())
    if told & {"hh", "h", "hours"}:
        return False
    if {"mm", "ss"} <= told:
        return True
    clocks = [clock for length in lengths if (clock := re.fullmatch(r"\s*(\d{1,3}):\d{2}:(\d{2})\s*", length))]
    are_long = [int(clock[1]) > 0 for clock in clocks]
    return bool(clocks) and all(clock[2] == "00" for clock in clocks) and sum(are_long) * 2 >= len(clocks)


def _reason_to_skip(reader: _Reader, row: Sequence[str]) -> str | None:
    if any(cell.strip() for cell in row[reader.width :]):
        return "more cells than columns"
    if not cleaning.name(reader.cell(row, "title")):
        return "no title"
    if len(row) < reader.needed:
        return "fewer cells than columns"
    if ":episode:" in reader.cell(row, "id"):
        return "podcast"
    return None


def _track(reader: _Reader, row: Sequence[str]) -> ListedTrack:
    source_id, url = _identity(reader, reader.cell(row, "id").strip(), reader.cell(row, "url").strip())
    return ListedTrack(
        title=cleaning.name(reader.cell(row, "title")),
        artists=cleaning.artist_names(_artists(reader.cell(row, "artist"), reader.cell(row, "artist ids"))),
        album=cleaning.name(reader.cell(row, "album")),
        duration_s=_length(reader, row),
        isrc=cleaning.isrc(reader.cell(row, "isrc")),
        source_id=source_id,
        url=url,
    )


def _length(reader: _Reader, row: Sequence[str]) -> float | None:
    return cleaning.duration_s(
        reader.cell(row, "duration"), unit_s=reader.duration_unit_s, minutes_first=reader.minutes_first
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
