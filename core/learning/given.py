"""Lists of folds that a person gives: a CSV that says of files on which side, or in which fold, they are."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from core.errors import LibraryError
from core.files import sha256_of
from core.learning.folds import SIDES, VALIDATION_NAMES

MAX_BYTES = 50_000_000
OTHER_NAMES = {"training": "train", "testing": "test", "dev": "validation"} | dict.fromkeys(
    VALIDATION_NAMES, "validation"
)
"""What sides are called elsewhere."""


@dataclass(frozen=True)
class GivenFolds:
    """What a list says: `sides` by recording, as `folds.given_folds` takes it, and the paths that no song here has."""

    sides: dict[str, str]
    unknown: tuple[str, ...]


def read(csv_file: Path, files: Mapping[str, str], hashes: Mapping[str, str] | None = None) -> GivenFolds:
    """Read a CSV with columns `path` (or `file`) and `split` (train, validation, test) or `fold` (a number a song).

    `files`: the keys of the library's recordings by path, and `hashes` by the SHA-256 of the file, if it is another. A path of the list is absolute, or relative to the CSV's folder or to any
    folder of the library, if only one file there ends so. Rows that say nothing are passed over. `LibraryError`, with
    the reason, if it is no such list.
    """
    by_name: dict[str, list[str]] = defaultdict(list)
    for path in files:
        by_name[PurePath(path).name].append(path)
    hashes = {sha256: sha256 for sha256 in files.values()} | dict(hashes or {})
    sides: dict[str, str] = {}
    unknown = []
    for text, said in _rows(csv_file):
        sha256 = _sha256(text, csv_file.absolute().parent, files, by_name, hashes)
        if sha256 is None:
            unknown.append(text)
        elif sides.setdefault(sha256, said) != said:
            raise LibraryError(f"{csv_file.name} says both {sides[sha256]!r} and {said!r} of {text}. Say one.")
    if not sides:
        raise LibraryError(
            f"None of the {len(unknown)} files in {csv_file.name} is in this library. Import them first, and check that its "
            "paths are absolute, or relative to the folder that it lies in."
        )
    return GivenFolds(sides, tuple(unknown))


def _rows(csv_file: Path) -> Iterator[tuple[str, str]]:
    try:
        if csv_file.stat().st_size > MAX_BYTES:
            raise LibraryError(f"{csv_file.name} is too large for a list of folds (over 50 MB).")
        with csv_file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            columns = {(name or "").strip().lower(): name for name in reader.fieldnames or []}
            path_column = columns.get("path", columns.get("file"))
            side_column = columns.get("split", columns.get("fold"))
            if path_column is None or side_column is None:
                raise LibraryError(
                    f"{csv_file.name} needs a column `path` (or `file`) and a column `split` or `fold`. "
                    f"It has: {', '.join(columns) or 'none'}."
                )
            for row in reader:
                text, said = ((row.get(column) or "").strip() for column in (path_column, side_column))
                if text and said:
                    yield text, _side(said, csv_file) if "split" in columns else said
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise LibraryError(f"{csv_file} cannot be read as a CSV table in UTF-8: {error}.") from error


def _side(said: str, csv_file: Path) -> str:
    side = OTHER_NAMES.get(said.lower(), said.lower())
    if side not in SIDES:
        raise LibraryError(f"{csv_file.name} says {said[:40]!r} where a split may be: train, validation, test.")
    return side


def _sha256(
    text: str, folder: Path, files: Mapping[str, str], by_name: Mapping[str, list[str]], hashes: Mapping[str, str]
) -> str | None:
    """The key of the recording that a path of the list means."""
    here = folder / text
    if str(here) in files:
        return files[str(here)]
    endings = [path for path in by_name.get(PurePath(text).name, ()) if f"/{path.lstrip('/')}".endswith(f"/{text}")]
    if len(endings) == 1:
        return files[endings[0]]
    if here.is_file() and here.stat().st_size < MAX_BYTES:  # the library may have a copy, or the file may have moved
        return hashes.get(sha256_of(here))
    return None
