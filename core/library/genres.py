"""The genre vocabulary: names, aliases, parents, colours, order. Speaks SQL about genres.

A name is compared by `vocabulary.genre_key`, so "Hip-Hop" is "hip hop"; an alias leads to the genre it stands for. A
genre keeps the spelling it was first given. Aliases and parents of well-known genres come from `data/genres.yaml` when
such a genre is first named; from then on the database is the truth.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.database import Database
from core.errors import LibraryError
from core.library.edits import editing, free_id
from core.library.vocabulary import Seed, genre_key, seeds
from core.names import MAX_GENRE, clean

MAX_WORDS = 5
"""Words of the longest genre name that `guess` looks for."""


@dataclass(frozen=True)
class Genre:
    """A genre. `colour` is `#rrggbb`, or None for one by its place; `playlists` stand for it."""

    id: int
    name: str
    parent: str | None
    colour: str | None
    aliases: tuple[str, ...]
    playlists: int
    has_votes: bool


class Genres:
    """The vocabulary of a workspace. Every change is one edit that can be undone."""

    def __init__(self, database: Database) -> None:
        """Work on `database`."""
        self._database = database

    def all(self) -> list[Genre]:
        """All genres, in the order a person gave them, the rest by name."""
        with self._database.read() as db:
            rows = db.execute(
                "SELECT genres.id, genres.name, parents.name AS parent, genres.colour, "
                "(SELECT count(*) FROM playlist_genres WHERE genre_id = genres.id) AS playlists, "
                "EXISTS (SELECT 1 FROM track_votes WHERE genre_id = genres.id) AS has_votes FROM genres "
                "LEFT JOIN genres parents ON parents.id = genres.parent_id "
                "ORDER BY genres.position IS NULL, genres.position, genres.name COLLATE NOCASE"
            ).fetchall()
            aliases: dict[int, list[str]] = {}
            for row in db.execute("SELECT genre_id, alias FROM genre_aliases ORDER BY alias COLLATE NOCASE"):
                aliases.setdefault(row["genre_id"], []).append(row["alias"])
        return [
            Genre(
                **{**dict(row), "has_votes": bool(row["has_votes"])},
                aliases=tuple(aliases.get(row["id"], ())),
            )
            for row in rows
        ]

    def parents(self) -> dict[str, str]:
        """Each genre that has a parent, with it."""
        return {genre.name: genre.parent for genre in self.all() if genre.parent}

    def canonical(self, name: str) -> str:
        """The genre that `name` stands for: itself cleaned, if it stands for none. Changes nothing."""
        with self._database.read() as db:
            return Names(db).canonical(name)

    def guess(self, title: str) -> str | None:
        """The genre that a playlist's title names, of the workspace's and the well-known ones; None if it names none.

        The longest name or alias counts, and of equals the last: "Deep House & Folk" is deep house.
        """
        words = title.split()
        with self._database.read() as db:
            names = Names(db)
        for length in range(min(len(words), MAX_WORDS), 0, -1):
            for start in range(len(words) - length, -1, -1):
                said = " ".join(words[start : start + length])
                found = names.find(said)
                if found is not None:
                    return names.name_of(found)
                if (seed := names.well_known(said)) is not None:
                    return seed.name
        return None

    def add(self, name: str) -> None:
        """A genre that nothing votes for yet."""
        with editing(self._database, f"new genre {_checked(name)}") as db:
            names = Names(db)
            if names.find(name) is not None:
                raise LibraryError(f"{name} is there already, as a genre or as an alias of one.")
            names.id_of(name)

    def change(
        self,
        name: str,
        *,
        rename: str | None = None,
        parent: str | None = None,
        no_parent: bool = False,
        colour: str | None = None,
        aliases: Sequence[str] | None = None,
    ) -> None:
        """Change what is told of a genre; what is None stays as it is. An alias that is a genre is refused: merge it."""
        told = f"renamed {name} to {_checked(rename)}" if rename and rename != name else f"changed {name}"
        with editing(self._database, told) as db:
            names = Names(db)
            genre_id = names.known(name)
            if rename is not None:
                names.rename(genre_id, rename)
            if no_parent:
                db.execute("UPDATE genres SET parent_id = NULL WHERE id = ?", (genre_id,))
            elif parent is not None:
                _set_parent(db, genre_id, names.id_of(parent))
            if colour is not None:
                db.execute("UPDATE genres SET colour = ? WHERE id = ?", (_checked_colour(colour), genre_id))
            if aliases is not None:
                names.set_aliases(genre_id, aliases)

    def order(self, ordered: Sequence[str]) -> None:
        """Put genres in this order; those not named follow by name."""
        with editing(self._database, "order of the genres") as db:
            names = Names(db)
            db.execute("UPDATE genres SET position = NULL WHERE position IS NOT NULL")
            for place, name in enumerate(ordered):
                db.execute("UPDATE genres SET position = ? WHERE id = ?", (place, names.known(name)))

    def merge(self, merged: Sequence[str], into: str) -> None:
        """All that spoke for `merged` speaks for `into`; their names become its aliases."""
        with editing(self._database, f"merged {', '.join(merged)} into {_checked(into)}") as db:
            names = Names(db)
            target = names.id_of(into)
            for name in merged:
                genre_id = names.known(name)
                if genre_id != target:
                    names.merge(genre_id, target)

    def split(self, name: str, new: str, playlist_ids: Sequence[int]) -> None:
        """These playlists stand for `new` from now on, no more for `name`, with the weights they had."""
        with editing(self._database, f"split {_checked(new)} off {name}") as db:
            names = Names(db)
            genre_id, target = names.known(name), names.id_of(new)
            if target == genre_id:
                raise LibraryError(f"{new} is another name of {name}. Choose a new name.")
            moved = 0
            for playlist_id in playlist_ids:
                row = db.execute(
                    "SELECT weight FROM playlist_genres WHERE playlist_id = ? AND genre_id = ?", (playlist_id, genre_id)
                ).fetchone()
                if row:
                    moved += 1
                    _move_mapping(db, playlist_id, genre_id, target)
            if not moved:
                raise LibraryError(f"Choose playlists that stand for {name}: they are what is split off.")

    def remove(self, name: str) -> None:
        """Forget a genre, and every vote for it."""
        with editing(self._database, f"removed the genre {name}") as db:
            genre_id = Names(db).known(name)
            db.execute("DELETE FROM votes WHERE genre_id = ?", (genre_id,))
            db.execute("DELETE FROM playlist_genres WHERE genre_id = ?", (genre_id,))
            db.execute("UPDATE genres SET parent_id = NULL WHERE parent_id = ?", (genre_id,))
            db.execute("DELETE FROM genre_aliases WHERE genre_id = ?", (genre_id,))
            db.execute("DELETE FROM genres WHERE id = ?", (genre_id,))


class Names:
    """Genre names within one transaction: found, made where new."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Read all names and aliases of `db`."""
        self._db = db
        self._names: dict[int, str] = {row["id"]: row["name"] for row in db.execute("SELECT id, name FROM genres")}
        self._ids: dict[str, int] = {
            row["key"]: row["genre_id"] for row in db.execute("SELECT key, genre_id FROM genre_aliases")
        }
        self._ids |= {genre_key(name): genre_id for genre_id, name in self._names.items()}
        self._spelled = {name: genre_id for genre_id, name in self._names.items()}

    def find(self, name: str) -> int | None:
        """The genre of this name or alias. Old libraries may hold "Hip-Hop" beside "hip hop": the very same goes first."""
        name = clean(name, limit=MAX_GENRE)
        return self._spelled.get(name, self._ids.get(genre_key(name)))

    def well_known(self, name: str) -> Seed | None:
        """The well-known genre of this name or alias; None for an alias that a person took away from it."""
        key = genre_key(clean(name, limit=MAX_GENRE))
        seed = seeds().get(key)
        return None if seed and genre_key(seed.name) != key and genre_key(seed.name) in self._ids else seed

    def canonical(self, name: str) -> str:
        """As `Genres.canonical`."""
        found = self.find(name)
        if found is not None:
            return self._names[found]
        seed, cleaned = self.well_known(name), clean(name, limit=MAX_GENRE)
        return cleaned if seed is None or genre_key(seed.name) == genre_key(cleaned) else seed.name

    def name_of(self, genre_id: int) -> str:
        """The name of a genre."""
        return self._names[genre_id]

    def known(self, name: str) -> int:
        """As `find`; `LibraryError` if there is none."""
        found = self.find(name)
        if found is None:
            raise LibraryError(f"There is no genre {name!r}. It may have been renamed or merged: load the page again.")
        return found

    def id_of(self, name: str) -> int:
        """The genre that `name` stands for, made (with its well-known aliases and parent) if it is new."""
        name = _checked(name)
        found = self.find(name)
        if found is not None:
            return found
        seed = self.well_known(name)
        if seed is None:
            return self._insert(name)
        genre_id = self._insert(name if genre_key(seed.name) == genre_key(name) else seed.name)
        self.set_aliases(genre_id, [alias for alias in seed.aliases if genre_key(alias) not in self._ids])
        if seed.parent:
            parent = self.id_of(seed.parent)
            self._db.execute("UPDATE genres SET parent_id = ? WHERE id = ?", (parent, genre_id))
        return genre_id

    def own(self, name: str) -> int:
        """The genre of this very name, made if there is none; an alias of this name becomes a genre."""
        key = genre_key(_checked(name))
        found = self.find(name)
        if found is not None and genre_key(self._names[found]) == key:
            return found
        self._db.execute("DELETE FROM genre_aliases WHERE key = ?", (key,))
        return self._insert(clean(name, limit=MAX_GENRE))

    def rename(self, genre_id: int, name: str) -> None:
        """Give a genre another name. `LibraryError` if that is another genre's."""
        name = _checked(name)
        other = self._ids.get(genre_key(name))
        if other is not None and other != genre_id:
            raise LibraryError(f"{name} is {self._names[other]} already. To make one of the two, merge them.")
        self._db.execute("DELETE FROM genre_aliases WHERE key = ?", (genre_key(name),))
        self._db.execute("UPDATE genres SET name = ? WHERE id = ?", (name, genre_id))
        self._spelled.pop(self._names[genre_id], None)
        self._names[genre_id] = name
        self._ids[genre_key(name)] = genre_id
        self._spelled[name] = genre_id

    def set_aliases(self, genre_id: int, aliases: Iterable[str]) -> None:
        """A genre's aliases are these, and no others."""
        wanted = {genre_key(alias): alias for alias in (clean(alias, limit=MAX_GENRE) for alias in aliases)}
        wanted = {key: alias for key, alias in wanted.items() if key and key != genre_key(self._names[genre_id])}
        for key, alias in wanted.items():
            other = self._ids.get(key, genre_id)
            if other != genre_id:
                raise LibraryError(f"{alias} means {self._names[other]} already. To make one of the two, merge them.")
        self._db.execute("DELETE FROM genre_aliases WHERE genre_id = ?", (genre_id,))
        self._ids = {
            key: of for key, of in self._ids.items() if of != genre_id or key == genre_key(self._names[genre_id])
        }
        for key, alias in wanted.items():
            self._db.execute("INSERT INTO genre_aliases VALUES (?, ?, ?)", (key, alias, genre_id))
            self._ids[key] = genre_id

    def merge(self, genre_id: int, target: int) -> None:
        """All that spoke for one genre speaks for another."""
        db, old = self._db, self._names[genre_id]
        for row in db.execute("SELECT playlist_id FROM playlist_genres WHERE genre_id = ?", (genre_id,)).fetchall():
            _move_mapping(db, row["playlist_id"], genre_id, target)
        db.execute(
            "DELETE FROM votes WHERE genre_id = ? AND EXISTS (SELECT 1 FROM votes AS kept WHERE kept.genre_id = ? "
            "AND kept.track_id = votes.track_id AND kept.source = votes.source AND kept.reference = votes.reference)",
            (genre_id, target),
        )
        db.execute("UPDATE votes SET genre_id = ? WHERE genre_id = ?", (target, genre_id))
        if genre_id in _line(db, target):  # then the target takes its place
            db.execute(
                "UPDATE genres SET parent_id = (SELECT parent_id FROM genres WHERE id = ?) WHERE id = ?",
                (genre_id, target),
            )
        db.execute("UPDATE genres SET parent_id = ? WHERE parent_id = ?", (target, genre_id))
        db.execute("UPDATE genre_aliases SET genre_id = ? WHERE genre_id = ?", (target, genre_id))
        db.execute("DELETE FROM genres WHERE id = ?", (genre_id,))
        if genre_key(old) != genre_key(self._names[target]):
            db.execute("INSERT INTO genre_aliases VALUES (?, ?, ?)", (genre_key(old), old, target))
        db.execute("UPDATE OR IGNORE readings SET for_genre = ? WHERE for_genre = ?", (target, genre_id))
        self._ids = {key: target if of == genre_id else of for key, of in self._ids.items()}
        del self._spelled[self._names.pop(genre_id)]

    def _insert(self, name: str) -> int:
        # no id that a reading knows: what was found for a genre that is gone is not shown as found for a new one
        row = self._db.execute(
            "INSERT INTO genres (id, name) SELECT max(?, 1 + coalesce(max(for_genre), 0)), ? FROM readings",
            (free_id(self._db, "genres"), name),
        )
        genre_id = int(row.lastrowid or 0)
        self._names[genre_id] = name
        self._ids[genre_key(name)] = genre_id
        self._spelled[name] = genre_id
        return genre_id


def checked_weights(genres: Mapping[str, float]) -> dict[str, float]:
    """Genres with their weights, names cleaned. `LibraryError` for an empty name or a weight that is not above 0."""
    for name, weight in genres.items():
        if not 0 < weight < float("inf"):
            raise LibraryError(f"The weight of {name} must be a number above 0 (such as 1, or 0.5).")
    return {_checked(name): float(weight) for name, weight in genres.items()}


def _checked(name: str) -> str:
    cleaned = clean(name, limit=MAX_GENRE)
    if not cleaned or not genre_key(cleaned):
        raise LibraryError("A genre needs a name.")
    return cleaned


def _checked_colour(colour: str) -> str:
    if len(colour) != 7 or colour[0] != "#" or not all(digit in "0123456789abcdefABCDEF" for digit in colour[1:]):
        raise LibraryError(f"A colour is written like #0072B2; this is {colour[:20]!r}.")
    return colour.upper()


def _set_parent(db: sqlite3.Connection, genre_id: int, parent: int) -> None:
    if genre_id in _line(db, parent):
        raise LibraryError("A genre cannot be its own parent, nor that of one above it.")
    db.execute("UPDATE genres SET parent_id = ? WHERE id = ?", (parent, genre_id))


def _line(db: sqlite3.Connection, genre_id: int) -> Iterator[int]:
    """A genre and all above it."""
    above: int | None = genre_id
    while above is not None:
        yield above
        above = db.execute("SELECT parent_id FROM genres WHERE id = ?", (above,)).fetchone()[0]


def _move_mapping(db: sqlite3.Connection, playlist_id: int, genre_id: int, target: int) -> None:
    """A playlist stands for another genre; where it stood for both, the larger weight counts."""
    weight = db.execute(
        "SELECT max(weight) FROM playlist_genres WHERE playlist_id = ? AND genre_id IN (?, ?)",
        (playlist_id, genre_id, target),
    ).fetchone()[0]
    db.execute(
        "DELETE FROM playlist_genres WHERE playlist_id = ? AND genre_id IN (?, ?)", (playlist_id, genre_id, target)
    )
    db.execute("INSERT INTO playlist_genres VALUES (?, ?, ?)", (playlist_id, target, weight))
