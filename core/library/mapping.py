"""The mapping from playlists to genres as one file that a person reads, keeps and shares: YAML, or CSV.

YAML holds all of it: genres with parents, colours and aliases, in their order; playlists with their genres and weights.
CSV holds the playlists alone: a row for each playlist and genre.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from core.database import Database
from core.errors import LibraryError
from core.library.edits import editing
from core.library.genres import Genres, Names, checked_weights
from core.library.playlists import Playlists, map_genres, row_of
from core.library.vocabulary import genre_key
from core.music import Playlist
from core.names import MAX_GENRE, clean

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader in C is ten times as quick, but not every PyYAML has it."""
MAX_BYTES = 5_000_000
MAX_DEPTH = 10
"""Lists and mappings within each other; deeper ones would keep the parser busy for minutes."""
MAX_EVENTS = 200_000
"""Names, values and brackets of a file: 20,000 playlists have fewer."""
MAX_SCALAR = 4_000
"""Characters of one value. YAML reads `1:59:59...` as a number to base 60, which at half a megabyte takes a minute."""
MAX_COLUMNS = 1_000
COLUMNS = ("source", "reference", "title", "genre", "weight")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
"""A spreadsheet would run a cell that begins so: a quote is put before it, and taken off again when read."""
HEAD = "# Genrescope: which playlist stands for which genre. Import it on the Playlists page, or with\n#   python -m core playlists import FILE\n"


class GenreEntry(BaseModel):
    """What is told of a genre."""

    model_config = ConfigDict(extra="forbid")

    parent: str | None = None
    colour: str | None = Field(None, pattern=r"^#[0-9A-Fa-f]{6}$")
    aliases: list[str] = []


class PlaylistEntry(BaseModel):
    """A playlist and the genres it stands for, with weights."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(min_length=1, max_length=40)
    reference: str = Field(min_length=1, max_length=2000)
    title: str = ""
    genres: dict[str, float] = {}


class GenreMapping(BaseModel):
    """A whole file."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("genres", mode="before")
    @classmethod
    def _nothing_told(cls, genres: Any) -> Any:
        """`techno:` with nothing after it is a genre of which nothing is told."""
        return (
            {name: {} if told is None else told for name, told in genres.items()}
            if isinstance(genres, dict)
            else genres
        )

    genres: dict[str, GenreEntry] = {}
    playlists: list[PlaylistEntry] = []


@dataclass(frozen=True)
class Change:
    """One difference that an import would make: of `what` (a genre or a playlist), from `before` to `after`."""

    what: str
    before: str
    after: str


def current(database: Database) -> GenreMapping:
    """The mapping of a workspace. Folders are left out: their songs bring their genres themselves."""
    playlists = [
        PlaylistEntry(source=row.source, reference=row.reference, title=row.title, genres=row.genres)
        for row in Playlists(database).all()
        if row.source != "folder" or row.genres
    ]
    genres = {
        genre.name: GenreEntry(parent=genre.parent, colour=genre.colour, aliases=list(genre.aliases))
        for genre in Genres(database).all()
    }
    return GenreMapping(genres=genres, playlists=playlists)


def as_yaml(mapping: GenreMapping) -> str:
    """A file that `parse` reads back to the same."""
    content = mapping.model_dump(mode="json", exclude_defaults=True)
    for name in content.get("genres", {}):  # a genre of which nothing is told still has its place
        content["genres"][name] = content["genres"][name] or {}
    return HEAD + str(yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=1000))


def as_csv(mapping: GenreMapping) -> str:
    """The playlists as a table; genres' parents, colours and aliases are not in it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for entry in mapping.playlists:
        for genre, weight in entry.genres.items() or [("", "")]:
            writer.writerow(
                [_guarded(str(cell)) for cell in (entry.source, entry.reference, entry.title, genre, weight)]
            )
    return out.getvalue()


def parse(name: str, data: bytes) -> GenreMapping:
    """Read a file by its name's ending (.csv; all else is YAML). `LibraryError` says what is wrong, and where."""
    if len(data) > MAX_BYTES:
        raise LibraryError(f"{name} is too large for a mapping (over 5 MB).")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LibraryError(f"{name} is not text in UTF-8. Save it as UTF-8 and try again.") from error
    try:
        mapping = _from_csv(name, text) if name.lower().endswith(".csv") else _from_yaml(name, text)
    except ValidationError as error:
        first = error.errors()[0]
        where = " → ".join(str(part) for part in first["loc"]) or "the whole file"
        raise LibraryError(f"{name} is no mapping of playlists to genres: {where}: {first['msg']}.") from error
    for entry in mapping.playlists:
        checked_weights(entry.genres)
    return mapping


def differences(database: Database, wanted: GenreMapping) -> list[Change]:
    """What `take_over` would change, in words."""
    genres = Genres(database)
    now = current(database)
    known = {_key(name): (name, entry) for name, entry in now.genres.items()}
    changes = []
    for name, entry in wanted.genres.items():
        if entry.parent:
            entry = entry.model_copy(update={"parent": genres.canonical(entry.parent)})
        there = known.get(_key(name))
        before = _told(there[1]) if there else "not there"
        after = _told(entry)
        if not there or not _same(*there, entry):
            changes.append(Change(f"genre {name}", before, after))
    mapped = {(row.source, row.reference): row for row in Playlists(database).all()}
    for playlist in wanted.playlists:
        there_now = mapped.get((playlist.source, playlist.reference))
        asked: dict[str, float] = {}
        for genre, weight in playlist.genres.items():
            name = genres.canonical(genre)
            asked[name] = max(weight, asked.get(name, 0.0))
        if there_now is None or there_now.genres != asked:
            title = playlist.title or (there_now.title if there_now else playlist.reference)
            before = _in_words(there_now.genres) if there_now else "not there"
            changes.append(Change(title, before, _in_words(asked)))
    return changes


def take_over(database: Database, wanted: GenreMapping) -> None:
    """Playlists and genres named in `wanted` become as it says; all others stay. One edit.

    A playlist that is not in the library yet is put on its list, to be read.
    """
    with editing(database, "import of a mapping") as db:
        names = Names(db)
        ids = {name: names.own(name) for name in wanted.genres}
        for genre_id in ids.values():  # all, before the first is set: an alias may go from one to another
            names.set_aliases(genre_id, ())
        for name, entry in wanted.genres.items():
            names.set_aliases(ids[name], entry.aliases)
        for place, (name, entry) in enumerate(wanted.genres.items()):
            parent = names.id_of(entry.parent) if entry.parent else None
            db.execute(
                "UPDATE genres SET parent_id = ?, colour = ?, position = coalesce(position, ?) WHERE id = ?",
                (parent, entry.colour and entry.colour.upper(), place, ids[name]),
            )
        if db.execute(
            "WITH RECURSIVE above (id, parent_id, n) AS (SELECT id, parent_id, 0 FROM genres UNION ALL "
            "SELECT above.id, genres.parent_id, n + 1 FROM above JOIN genres ON genres.id = above.parent_id "
            "WHERE n < 100) SELECT 1 FROM above WHERE n >= 100 LIMIT 1"
        ).fetchone():
            raise LibraryError("In this file a genre is above itself. Correct its parents, and import it again.")
        for playlist in wanted.playlists:
            row = db.execute(
                "SELECT id FROM playlists WHERE source = ? AND reference = ?", (playlist.source, playlist.reference)
            ).fetchone()
            unread = Playlist(playlist.source, playlist.reference, playlist.title or playlist.reference, ())
            playlist_id = row["id"] if row else row_of(db, unread, read_at=None)
            map_genres(db, names, playlist_id, checked_weights(playlist.genres))


def _from_yaml(name: str, text: str) -> GenreMapping:
    depth = 0
    try:
        for number, event in enumerate(yaml.parse(text, Loader=LOADER)):
            if number > MAX_EVENTS or (isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_SCALAR):
                raise LibraryError(
                    f"{name} holds far more, or far longer values, than a mapping has. Is it another file?"
                )
            if isinstance(event, yaml.AliasEvent):
                raise LibraryError(f"{name} holds YAML aliases (*name), which a mapping needs not. Write them out.")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise LibraryError(f"{name} is nested more deeply than a mapping can be. Is it another file?")
        content = yaml.load(text, Loader=LOADER)  # noqa: S506 - it is the safe loader, in C where there is one
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise LibraryError(f"{name} cannot be read as YAML: {' '.join(str(error).split())[:300]}") from error
    return GenreMapping.model_validate({} if content is None else content)


def _from_csv(name: str, text: str) -> GenreMapping:
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""))
        if len(rows.fieldnames or ()) > MAX_COLUMNS:
            raise LibraryError(f"{name} has more than {MAX_COLUMNS:,} columns. It is no mapping.")
        missing = set(COLUMNS[:2]) | {"genre"}
        missing -= {(column or "").strip().lower() for column in rows.fieldnames or []}
        if missing:
            raise LibraryError(
                f"{name} lacks the column {' and '.join(sorted(missing))}. It needs: {', '.join(COLUMNS)}."
            )
        entries: dict[tuple[str, str], PlaylistEntry] = {}
        for line, row in enumerate(rows, start=2):
            cells = {
                (key or "").strip().lower(): _unguarded((value or "").strip()) for key, value in row.items() if key
            }
            key = cells["source"], cells["reference"]
            entry = entries.setdefault(
                key, PlaylistEntry(source=key[0], reference=key[1], title=cells.get("title", ""))
            )
            if cells["genre"]:
                entry.genres[cells["genre"]] = _weight(name, line, cells.get("weight", ""))
    except csv.Error as error:
        raise LibraryError(f"{name} cannot be read as a CSV table: {error}.") from error
    return GenreMapping(playlists=list(entries.values()))


def _weight(name: str, line: int, text: str) -> float:
    try:
        return float(text or 1)
    except ValueError as error:
        raise LibraryError(f"{name}, line {line}: the weight {text[:20]!r} is no number.") from error


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell


def _key(name: str) -> str:
    return genre_key(clean(name, limit=MAX_GENRE))


def _same(name: str, a: GenreEntry, b: GenreEntry) -> bool:
    aliases_a, aliases_b = ({_key(alias) for alias in entry.aliases} - {_key(name), ""} for entry in (a, b))
    return (
        _key(a.parent or "") == _key(b.parent or "")
        and (a.colour or "").upper() == (b.colour or "").upper()
        and aliases_a == aliases_b
    )


def _told(entry: GenreEntry) -> str:
    parts = [f"under {entry.parent}"] if entry.parent else []
    parts += [entry.colour] if entry.colour else []
    parts += [f"also {', '.join(entry.aliases)}"] if entry.aliases else []
    return ", ".join(parts) or "a genre"


def _in_words(genres: Mapping[str, float]) -> str:
    return ", ".join(genre if weight == 1 else f"{genre}={weight:g}" for genre, weight in genres.items()) or "no genre"
