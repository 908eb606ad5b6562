"""Playlists that are offered to begin with, as `data/starter_playlists.yaml` lists them."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from core.errors import LibraryError
from core.names import MAX_GENRE, MAX_NAME, clean
from core.settings import PROJECT

STARTERS_FILE = PROJECT / "data" / "starter_playlists.yaml"


@dataclass(frozen=True)
class Starter:
    """A playlist to begin with: the genre it stands for, and where it is found (`source`, `reference`).

    `title` is a stand-in until the playlist has been read.
    """

    genre: str
    source: str
    reference: str
    title: str


def starters(path: Path = STARTERS_FILE) -> list[Starter]:
    """The playlists to begin with, in the order of the list; none if there is no such file.

    Raises `LibraryError`, which names the entry or line, if the file is damaged.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise LibraryError(
            f"The list of starters {path} cannot be read ({error}). Restore it, or delete it."
        ) from error
    if not isinstance(content, list):
        raise LibraryError(f"The list of starters {path} must hold a list of entries. Restore it, or delete it.")
    found: dict[tuple[str, str], Starter] = {}
    for number, entry in enumerate(content, start=1):
        starter = _starter(entry, number, path)
        if found.setdefault((starter.source, starter.reference), starter) is not starter:
            raise LibraryError(f"Entry {number} of {path} lists the playlist {starter.reference} again. Remove it.")
    return list(found.values())


def _starter(entry: Any, number: int, path: Path) -> Starter:
    names = [field.name for field in fields(Starter)]
    if not isinstance(entry, dict) or set(entry) != set(names):
        raise LibraryError(f"Entry {number} of {path} must hold {', '.join(names)}, and nothing else. Correct it.")
    for name in names:
        value, limit = entry[name], MAX_GENRE if name == "genre" else MAX_NAME
        if not isinstance(value, str) or not value or clean(value, limit=limit) != value:
            raise LibraryError(
                f"Entry {number} of {path} has a wrong {name}, {value!r}: it must be a text on one line, at most {limit} "
                "characters long. Correct it."
            )
    return Starter(**entry)
