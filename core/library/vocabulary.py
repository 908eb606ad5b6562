"""Well-known genres with their aliases and parents, and how names of genres are compared. Pure but for reading the list.

`data/genres.yaml` is a start only: a genre takes its parent and aliases from there when it is first named, and from then
on the database is the truth.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from anyascii import anyascii

from core.errors import LibraryError
from core.names import MAX_GENRE, clean
from core.settings import PROJECT

GENRES_FILE = PROJECT / "data" / "genres.yaml"

MAX_GENRES = 20
"""Genres that are taken from one file or row; more are noise."""

_NO_GENRES = """
    unknown, unknown genre, other, others, other genre, misc, miscellaneous, various, none, no genre, genre, genres, n/a, null,
    nil, undefined, unspecified, unclassified, unclassifiable, uncategorized, uncategorised, untagged, not set, not specified,
    default, general, tbd, todo, music, audio, unbekannt, unbekanntes genre, sonstige, sonstiges, andere, anderes, verschiedenes,
    inconnu, genre inconnu, autre, autres, divers, desconocido, genero desconocido, otro, otros, varios, sconosciuto, altro, vari,
    desconhecido, genero desconhecido, outro, outros, onbekend, overig, overige, okänd, annat, övrigt, ukjent, ukendt, nieznany,
    inne, inny, neznámý, ostatní, ismeretlen, egyéb, bilinmeyen, diğer, неизвестно, неизвестный, неизвестный жанр, другое, другие,
    прочее, разное, иное, невідомий, інше, άγνωστο, άλλο, 不明, その他, 未知, 其他, 其它, 未知流派, 알 수 없음, 기타, 미분류
"""
"""What tags say where somebody did not choose a genre, also in other languages: no votes. Compared by `genre_key`."""

_AND = re.compile(r"&|'n'")
_NO_LETTER = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Seed:
    """A well-known genre: its usual spelling, the genre it is a kind of, and other names for it."""

    name: str
    parent: str | None
    aliases: tuple[str, ...]


@lru_cache(maxsize=4096)
def genre_key(name: str) -> str:
    """`name` for comparing: lower-case ASCII letters and digits only; "&" and "'n'" are "and".

    So `Hip-Hop`, `hip hop` and `HipHop` are one, and `R&B` is `r and b`. A name of symbols only is kept as it is; the
    key is '' only if nothing in the name is visible.
    """
    visible = clean(name)
    plain = anyascii(unicodedata.normalize("NFKC", visible)).casefold()
    return _NO_LETTER.sub("", _AND.sub("and", plain)) or visible.casefold()


def genres_in(values: Iterable[str]) -> tuple[str, ...]:
    """The genres that a tag's values, or a cell of a table, name: each once, without `Unknown` and the like.

    `;` separates several; `/` and `&` do not, as names have them (`Hip-Hop/Rap`, `R&B`).
    """
    named = (clean(part, limit=MAX_GENRE) for value in values for part in value.split(";"))
    by_key: dict[str, str] = {}
    for name in named:
        if any(ch.isalnum() for ch in name):
            by_key.setdefault(genre_key(name), name)
    return tuple(name for key, name in by_key.items() if key not in _no_genres())[:MAX_GENRES]


@lru_cache(maxsize=1)
def _no_genres() -> frozenset[str]:
    return frozenset(genre_key(name) for name in _NO_GENRES.split(","))


def seeds(path: Path = GENRES_FILE) -> Mapping[str, Seed]:
    """The well-known genres by the `genre_key` of their names and of all their aliases; empty if there is no such file.

    Read once. Raises `LibraryError` if the file is damaged or contradicts itself.
    """
    return _read(path)


@lru_cache(maxsize=4)
def _read(path: Path) -> Mapping[str, Seed]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return MappingProxyType({})
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise LibraryError(f"The list of genres {path} cannot be read ({error}). Restore it, or delete it.") from error
    if not isinstance(content, dict):
        raise LibraryError(
            f"The list of genres {path} must hold a mapping from names to entries. Restore or delete it."
        )
    found = [_seed(name, entry, path) for name, entry in content.items()]
    if faults := list(check(found)):
        raise LibraryError(f"The list of genres {path} contradicts itself: {'; '.join(faults)}. Correct or delete it.")
    return MappingProxyType({genre_key(name): seed for seed in found for name in (seed.name, *seed.aliases)})


def _seed(name: Any, entry: Any, path: Path) -> Seed:
    """One entry; raises `LibraryError` if it has not the form `name: {parent: name, aliases: [name, ...]}`."""
    fields = {} if entry is None else entry
    if isinstance(fields, dict) and not set(fields) - {"parent", "aliases"}:
        parent, aliases = fields.get("parent"), fields.get("aliases", [])
        if isinstance(aliases, list) and all(map(_is_name, [name, *aliases, *([] if parent is None else [parent])])):
            return Seed(name, parent, tuple(aliases))
    raise LibraryError(
        f"The list of genres {path} has a wrong entry, {name!r}. An entry is a name, and in braces a parent (a name) and "
        f"aliases (a list of names), each at most {MAX_GENRE} long. Correct or delete it."
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value) and clean(value, limit=MAX_GENRE) == value


def check(found: list[Seed]) -> Iterator[str]:
    """What contradicts itself in a list of genres: a name that means two, a parent not listed, a circle of parents."""
    owners: dict[str, str] = {}
    for seed in found:
        for name in (seed.name, *seed.aliases):
            if (key := genre_key(name)) in owners:
                yield f"{name!r} of {seed.name!r} compares as a name of {owners[key]!r}"
            owners[key] = seed.name
    parents = {seed.name: seed.parent for seed in found}
    for name, parent in parents.items():
        if parent is not None and parent not in parents:
            yield f"{parent!r}, the parent of {name!r}, is not listed"
        elif _comes_round(name, parents):
            yield f"{name!r} is a kind of itself"


def _comes_round(name: str, parents: Mapping[str, str | None]) -> bool:
    """Whether going from parent to parent leads back to `name`."""
    above, passed = parents[name], set[str]()
    while above is not None and above not in passed:
        if above == name:
            return True
        passed.add(above)
        above = parents.get(above)
    return False
