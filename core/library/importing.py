"""Importing a folder of songs: find the files, read their tags, take them in with the genre the person chose.

Conventions: `directory` is absolute; a file's genre comes from its parent folder (`folder`), from the first folder
below `directory` (`top-folder`), from its tag (`tag`), or from a CSV with columns `path` and `genre` (`csv`).
"""

import csv
import os
import shutil
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from core import text_encoding
from core.audio import tags, waveform
from core.audio.codes import codes_of
from core.audio.store import SpectrogramStore
from core.audio.tags import Tags
from core.errors import AudioError, GenrescopeError, LibraryError, WorkspaceError
from core.files import sha256_of, whole
from core.jobs.compute import Limits, fan_out
from core.library import names
from core.library.identity import identity_key, main_artist
from core.library.path_matching import EXACT, FileIndex, same_path
from core.library.preprocessing import learn_packets
from core.library.store import FoundFile, KnownFile, Library
from core.library.vocabulary import genres_in
from core.music import Vote
from core.names import MAX_GENRE, clean
from core.recipes import SpectrogramRecipe
from core.settings import Settings

GenreFrom = Literal["folder", "top-folder", "tag", "csv"]
GENRE_FROM: tuple[GenreFrom, ...] = get_args(GenreFrom)

BATCH = 25
"""Files taken in by one transaction."""
SAME_RECORDING_S = 3.0
"""Two files of the same artist and title are probably the same recording if their lengths differ by less."""
UNFINISHED = frozenset({".part", ".partial", ".crdownload", ".download", ".opdownload", ".tmp", ".ytdl"})
"""Endings that browsers and downloaders give to files that are not complete yet."""
OTHER_AUDIO = {
    **dict.fromkeys((".mid", ".midi", ".kar", ".rmi"), "a MIDI file (notes, no sound)"),
    **dict.fromkeys((".mod", ".xm", ".it", ".s3m"), "a tracker module (notes, no sound)"),
    **dict.fromkeys((".m4p", ".aax", ".aa", ".aaxc"), "an encrypted file (DRM)"),
    **dict.fromkeys((".ra", ".rm", ".ram"), "RealAudio"),
    **dict.fromkeys(
        (".dts", ".dff", ".shn", ".tak", ".ofr", ".voc", ".gsm", ".vqf", ".at3", ".oma"), "a kind of audio"
    ),
}
"""Endings of audio files that are not read, and what they are."""
NO_AUDIO = frozenset(
    ".jpg .jpeg .png .gif .webp .bmp .tif .tiff .heic .pdf .txt .nfo .cue .log .m3u .m3u8 .pls .xspf .csv .tsv .json .xml .html "  # noqa: SIM905
    ".md .rtf .doc .docx .sfv .md5 .ffp .accurip .lrc .srt .ini .db .url .lnk .zip .rar .7z .py .js .css".split()
)
"""Endings of files that lie beside songs, and need not be opened."""
HELD_FILES = 200
"""Largest batch of files in one folder whose tag encoding is guessed together."""
SEVERAL = "; "
"""Between several artists, or genres, of one file."""
MAX_CSV_BYTES = 50_000_000
MAX_CSV_COLUMNS = 1_000
MAX_UNMATCHED = 1_000
"""Rows of a table for no file that a result lists; it counts all of them."""


@dataclass(frozen=True)
class PreviewRow:
    """What each way of telling the genre would give for one file ('' for nothing, several with `; ` between them).

    `note` says which encoding its tags were guessed to have, or why they could not be read.
    """

    path: str
    artist: str
    title: str
    folder: str
    top_folder: str
    tag: str
    csv: str
    note: str = ""


def _read_tags(path: Path) -> Tags:
    return tags.read(path, waveform.probe(path))


@dataclass(frozen=True)
class FolderContent:
    """The audio `files` below a folder, in a fixed order, and what was `skipped`: path and reason each."""

    files: list[Path]
    skipped: list[dict[str, str]]


def audio_files_in(directory: Path) -> list[Path]:
    """Audio files below `directory`, in a fixed order; see `look_through`."""
    return look_through(directory).files


def look_through(directory: Path) -> FolderContent:
    """What of the files below `directory` is audio: by their names, or by how they begin where the name says nothing.

    Hidden folders are passed over, and so are files that are no audio, such as covers. Audio of other kinds, unfinished
    downloads and hidden audio files are skipped; so are folders that cannot be read, and links to folders, which may lead
    in circles.
    """
    if not directory.is_dir():
        raise LibraryError(f"{directory} is not a folder on this computer. Check the spelling, or choose another.")
    files: list[Path] = []
    skipped: list[dict[str, str]] = []

    def skip(path: str | Path, reason: str) -> None:
        skipped.append({"path": _as_text(Path(path)), "reason": reason})

    def unreadable(error: OSError) -> None:
        skip(error.filename or directory, f"This folder cannot be read: {error.strerror or error}.")

    for folder, subfolders, names_here in os.walk(directory, onerror=unreadable):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in list(subfolders):
            if Path(folder, name).is_symlink():
                subfolders.remove(name)
                skip(Path(folder, name), _about_link(Path(folder, name)))
        for name in sorted(names_here):
            path = Path(folder, name)
            if reason := _not_imported(path):
                skip(path, reason)
            elif not name.startswith(".") and _is_audio(path):
                files.append(path)
    return FolderContent(files, skipped)


def _about_link(link: Path) -> str:
    """Why a link to a folder is not followed."""
    target = link.resolve()
    if link.parent.resolve().is_relative_to(target):
        return "This is a link to a folder that it is in: following it would have no end."
    return f"This is a link to another folder, which is not followed. Import that folder itself: {_as_text(target)}"


def _not_imported(path: Path) -> str:
    """Why an audio file is skipped, going by its name; '' if it is not."""
    suffix = path.suffix.lower()
    if suffix in UNFINISHED and (Path(path.stem).suffix.lower() in waveform.SUFFIXES or _begins_as_audio(path)):
        return "This is an unfinished download."
    if suffix in OTHER_AUDIO and not path.name.startswith("."):
        return f"This is {OTHER_AUDIO[suffix]}, which Genrescope does not read."
    hidden = path.name.startswith(".") and not path.name.startswith("._")  # those are macOS's notes on files
    if hidden and suffix in waveform.SUFFIXES and _begins_as_audio(path):
        return "This file is hidden: its name begins with a dot."
    return ""


def _is_audio(path: Path) -> bool:
    """Whether a file is to be looked at: its content decides where its name does not say."""
    suffix = path.suffix.lower()
    return suffix in waveform.SUFFIXES or (suffix not in NO_AUDIO and _begins_as_audio(path))


def _begins_as_audio(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return waveform.begins_as_audio(stream.read(16))
    except OSError:
        return False  # what cannot be read, and is not called audio, is no song


def preview(
    directory: Path,
    *,
    csv_file: Path | None = None,
    limit: int = 500,
    on_progress: Callable[[float], None] | None = None,
    read: Callable[[Path], Tags] = _read_tags,
) -> tuple[list[PreviewRow], int]:
    """(what at most `limit` files, spread evenly, would be taken as; number of files in all). Changes nothing.

    `read` reads the tags of a file, or raises `AudioError`.
    """
    files = audio_files_in(directory)
    table = read_csv(csv_file, directory, files) if csv_file else SongTable()
    step = max(1, -(-len(files) // limit))
    looked_at = files[::step]
    found = []
    for number, path in enumerate(looked_at, start=1):
        try:
            found.append(read(path))
        except AudioError as error:
            found.append(Tags(problem=str(error)))
        if on_progress:
            on_progress(number * step / max(len(files), 1))
    rows = []
    for _, of_folder in groupby(zip(looked_at, found, strict=True), key=lambda pair: pair[0].parent):
        paths, said = zip(*of_folder, strict=True)
        for path, its_tags in zip(paths, _decided(said), strict=True):
            described = table.get(path, {})
            artist, title, _ = _names(path, its_tags, described)
            genres = {way: SEVERAL.join(_genres(way, path, directory, its_tags, described)) for way in GENRE_FROM}
            rows.append(
                PreviewRow(
                    _as_text(path),
                    artist,
                    title,
                    genres["folder"],
                    genres["top-folder"],
                    genres["tag"],
                    genres["csv"],
                    _note(its_tags),
                )
            )
    return rows, len(files)


def _note(said: Tags) -> str:
    guessed = f"Tags read as {text_encoding.NAMES[said.encoding]}: a guess." if said.encoding else ""
    return " ".join(filter(None, (said.problem, guessed)))


def _decided(of_folder: Sequence[Tags]) -> list[Tags]:
    """Decode the undecided tags of the files of one folder, with one encoding for all files that it suits."""
    encodings = iter(text_encoding.guesses([said.undecided for said in of_folder if said.undecided]))
    return [said.decided(next(encodings)) if said.undecided else said for said in of_folder]


class SongTable(dict[Path, dict[str, str]]):
    """What a CSV says of each file. `unmatched`: rows that are used for no file, each with its path and the reason."""

    def __init__(self) -> None:
        super().__init__()
        self.unmatched: list[dict[str, str]] = []


def read_csv(csv_file: Path, directory: Path, files: Iterable[Path] | None = None) -> SongTable:
    """Rows of a CSV by the file they mean: columns `path` (or `file`) and `genre`; `artist`, `title` if there.

    Paths may be absolute, or relative to `directory` or to the CSV's own folder; where no file is at that very path,
    `path_matching` says which of `files` is meant (those below `directory`, if not given).
    """
    try:
        if csv_file.stat().st_size > MAX_CSV_BYTES:
            raise LibraryError(f"{csv_file.name} is too large for a table of songs (over 50 MB).")
        with csv_file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            if len(reader.fieldnames or ()) > MAX_CSV_COLUMNS:
                raise LibraryError(
                    f"{csv_file.name} has more than {MAX_CSV_COLUMNS:,} columns: it is no table of songs."
                )
            columns = {(name or "").strip().lower(): name for name in reader.fieldnames or []}
            path_column = columns.get("path", columns.get("file"))
            if path_column is None or "genre" not in columns:
                raise LibraryError(
                    f"{csv_file.name} needs a column `path` (or `file`) and a column `genre`. "
                    f"It has: {', '.join(columns) or 'none'}."
                )
            rows = [
                (
                    (row.get(path_column) or "").strip(),
                    {name: (row.get(column) or "").strip() for name, column in columns.items()},
                )
                for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise LibraryError(f"{csv_file} cannot be read as a CSV table in UTF-8: {error}.") from error
    index = FileIndex(directory, audio_files_in(directory) if files is None else files)
    return _matched(rows, index, (directory, csv_file.parent))


def _matched(rows: Iterable[tuple[str, dict[str, str]]], index: FileIndex, bases: tuple[Path, Path]) -> SongTable:
    """The rows by file. A file gets the row whose path fits best; rows that fit as well are ambiguous."""
    table = SongTable()
    claims: dict[Path, list[tuple[int, str, dict[str, str]]]] = {}
    for path, described in rows:
        if not any(described.values()):
            continue
        found = index.find(path, bases) if path else []
        if len(found) == 1:
            claims.setdefault(found[0].file, []).append((found[0].rank, path, described))
        elif found:
            named = ", ".join(_as_text(match.file) for match in found[:3]) + (" …" if len(found) > 3 else "")
            table.unmatched.append({"path": path, "reason": f"{len(found):,} files may be meant: {named}"})
        else:
            reason = "there is no such file in the folder" if path else "the row names no file"
            table.unmatched.append({"path": path, "reason": reason})
    for file, of_file in claims.items():
        highest = max(rank for rank, _, _ in of_file)
        best = [claim for claim in of_file if claim[0] == highest]
        is_clear = highest == EXACT or all(same_path(path, best[0][1]) for _, path, _ in best)
        if is_clear:
            table[file] = best[0][2]
        reason = f"another row is about {_as_text(file)}" if is_clear else f"several rows may mean {_as_text(file)}"
        others = [claim for claim in of_file if not (is_clear and claim is best[0])]
        table.unmatched += [{"path": path, "reason": reason} for _, path, _ in others]
    return table


def import_folder(
    library: Library,
    settings: Settings,
    directory: Path,
    *,
    genre_from: GenreFrom,
    csv_file: Path | None = None,
    copy: bool = False,
    playlist: tuple[str, str, str] | None = None,
    job_id: int | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Take in all songs below `directory`; `on_progress(files done, files)` may raise to stop between files.

    They are listed in `playlist` (source, reference, title): the folder itself, if none is given.

    A file is known by its audio packets: with new tags, a new name, or in another place it is the same recording.

    Returns `imported` (new tracks), `already_known`, `duplicates` (the same recording again in this call), `without_genre`
    (songs for which no genre was found), `unmatched_rows` (rows of the CSV used for no file; the first `MAX_UNMATCHED` in
    `unmatched`, with path and reason), `probable_duplicates` (pairs of paths, both imported), `skipped` (audio files and
    folders that were passed over: path and reason) and `failed` (likewise); where there are such, `encodings` (files whose
    tags were decoded by a guess, by its name) and `unreadable_tags` (paths). Doing it again changes nothing; a call that was
    cut off goes on where it was, under the same `job_id`.
    """
    if genre_from == "csv" and csv_file is None:
        raise LibraryError("To take genres from a CSV, say which (--csv FILE).")
    content = look_through(directory)
    files = content.files
    table = read_csv(csv_file, directory, files) if csv_file else SongTable()
    learn_packets(library, settings, check=lambda: on_progress(0, len(files)))
    known_files = _KnownFiles(library)
    seen: set[str] = set()
    new: set[str] = set()
    failed: list[dict[str, str]] = []
    counts = {"imported": 0, "already_known": 0, "duplicates": 0, "without_genre": 0}
    encodings: Counter[str] = Counter()
    unreadable_tags: list[str] = []
    batch: list[FoundFile] = []
    playlist = playlist or ("folder", str(directory), directory.name)

    looks = (
        _Look(number, path, known_files.at(path), settings.max_audio_bytes, settings.spectrograms)
        for number, path in enumerate(files)
    )
    for number, (path, seen_as) in enumerate(
        zip(files, _with_text(files, _looked_at(looks, settings, on_progress, len(files))), strict=True)
    ):
        on_progress(number, len(files))
        try:
            if isinstance(seen_as, Exception):
                raise seen_as
            known = known_files.find(path, seen_as)
            sha256 = known.sha256 if known else seen_as.packets_sha256
            if sha256 in seen:
                counts["duplicates"] += 1
                continue
            found = _describe(path, sha256, seen_as, directory, genre_from, csv_file, table.get(path, {}))
            gone = known is not None and not (known.path and Path(known.path).exists())
            if known and not known.packets_sha256:
                library.packets_read(known.sha256, seen_as.packets_sha256)
            if known and (gone or known.path == found.path):
                changed = (known.size_bytes, known.mtime_ns) != (found.size_bytes, found.mtime_ns)
                found = replace(found, moved=gone, retagged=changed)
            if copy and (gone or not known):
                found = _copied(found, settings)
        except WorkspaceError:  # no fault of the song
            raise
        except (GenrescopeError, OSError) as error:
            failed.append({"path": _as_text(path), "reason": str(error)})
            continue
        seen.add(sha256)
        counts["without_genre"] += not found.votes
        if seen_as.tags.encoding:
            encodings[text_encoding.NAMES[seen_as.tags.encoding]] += 1
        if seen_as.tags.problem:
            unreadable_tags.append(found.path)
        ours = known is not None and job_id is not None and known.created_by_job == job_id
        if known and not ours:
            counts["already_known"] += 1
        else:
            counts["imported"] += 1
            new.add(found.path)
        batch.append(found)
        if len(batch) == BATCH:
            library.add_files(batch, playlist=playlist, job_id=job_id)
            batch = []
    library.add_files(batch, playlist=playlist, job_id=job_id)
    on_progress(len(files), len(files))
    pairs = probable_duplicates(library.names(), new)
    noted = {"encodings": dict(encodings), "unreadable_tags": unreadable_tags}
    return {
        **counts,
        "unmatched_rows": len(table.unmatched),
        "unmatched": table.unmatched[:MAX_UNMATCHED],
        "probable_duplicates": [list(pair) for pair in pairs],
        "skipped": content.skipped,
        "failed": failed,
        **{name: value for name, value in noted.items() if value},
    }


def probable_duplicates(
    known: Iterable[tuple[str, str, float | None, str]], new: Container[str]
) -> Iterator[tuple[str, str]]:
    """Pairs (path of a `new` file, path of an older one) with the same main artist, title, version and about the length.

    `known` as from `Library.names`: (artist, title, duration_s, path), oldest first.
    """
    groups: dict[str, list[tuple[float | None, str]]] = {}
    for artist, title, duration_s, path in known:
        if not main_artist([artist]) or not names.comparable(title):
            continue
        group = groups.setdefault(identity_key([artist], title), [])
        if path in new:
            for other_s, other in group:
                if duration_s is None or other_s is None or abs(duration_s - other_s) < SAME_RECORDING_S:
                    yield path, other
                    break
        group.append((duration_s, path))


def _as_text(path: Path) -> str:
    """`path` in characters that can be stored and shown: a name on disk may hold bytes that are none."""
    return str(path).encode(errors="replace").decode()


@dataclass(frozen=True)
class _Look:
    """A file to be looked at; `known` as it was when last seen, if it was."""

    number: int
    path: Path
    known: KnownFile | None
    max_bytes: int
    spectrograms: Path


@dataclass(frozen=True)
class _Seen:
    """What was seen of a file; `sounds_as` is the key of the recording that it was found to be by its sound, if it was."""

    packets_sha256: str
    file_sha256: str
    size_bytes: int
    mtime_ns: int
    probe: waveform.Probe
    tags: Tags
    sounds_as: str = ""


class _KnownFiles:
    """The library's audio files, to find the one that a file is."""

    def __init__(self, library: Library) -> None:
        self._by_path, self._by_key = library.known_files()
        self._by_packets: dict[str, KnownFile] = {}
        for file in self._by_key.values():
            if file.packets_sha256:
                self._by_packets.setdefault(file.packets_sha256, file)

    def at(self, path: Path) -> KnownFile | None:
        """The audio file that was in this place when it was seen last."""
        return self._by_path.get(str(path))

    def find(self, path: Path, seen: _Seen) -> KnownFile | None:
        """The audio file that this one is: the one in its place, or else one with the same bytes, or the same packets."""
        if seen.sounds_as:
            self._by_packets.setdefault(seen.packets_sha256, self._by_key[seen.sounds_as])
        here, same_file = self.at(path), self._by_key.get(seen.file_sha256)
        if here and here.packets_sha256 == seen.packets_sha256:
            return here
        if same_file and not same_file.packets_sha256:
            self._by_packets.setdefault(seen.packets_sha256, same_file)
            return same_file
        return self._by_packets.get(seen.packets_sha256)


def _look(order: _Look) -> _Seen:
    """Look at a file. Runs in a process of its own: a decoder may crash, or never come to an end."""
    stat = order.path.stat()
    _check_file(order.path, order.max_bytes)
    known, packets_sha256, file_sha256 = order.known, None, None
    if known and (known.size_bytes, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
        packets_sha256, file_sha256 = known.packets_sha256, known.file_sha256
    file_sha256 = file_sha256 or sha256_of(order.path)  # first: what is read again then comes from memory
    probe = waveform.probe(order.path, max_bytes=order.max_bytes, check_sound=True, read_packets=not packets_sha256)
    same = known and not known.packets_sha256 and file_sha256 != known.sha256 and _sounds_the_same(order, known)
    return _Seen(
        packets_sha256 or probe.packets_sha256,
        file_sha256,
        stat.st_size,
        stat.st_mtime_ns,
        probe,
        tags.read(order.path, probe),
        known.sha256 if known and same else "",
    )


def _sounds_the_same(order: _Look, known: KnownFile) -> bool:
    """Whether a file that was changed before its packets were ever read has the spectrogram that was made of it before.

    Only after an update from a version that did not read packets, and the one case in which a known song is decoded again.
    """
    recipe = SpectrogramRecipe()
    try:
        before = SpectrogramStore(order.spectrograms, recipe.fingerprint).read(known.sha256)
        codes, _ = codes_of(order.path, recipe, max_bytes=order.max_bytes)
    except AudioError:
        return False
    return before.shape == codes.shape and int(np.max(np.abs(before.astype(np.int16) - codes), initial=0)) <= 1


def _with_text(files: Sequence[Path], seen: Iterable[_Seen | Exception]) -> Iterator[_Seen | Exception]:
    """The same in the same order, undecided tags decoded: these wait for the rest of their folder."""
    held: list[_Seen | Exception] = []

    def released() -> Iterator[_Seen | Exception]:
        said = iter(_decided([one.tags for one in held if isinstance(one, _Seen)]))
        yield from [replace(one, tags=next(said)) if isinstance(one, _Seen) else one for one in held]
        held.clear()

    for number, one in enumerate(seen):
        if held and (len(held) == HELD_FILES or files[number].parent != files[number - 1].parent):
            yield from released()
        if held or (isinstance(one, _Seen) and one.tags.undecided):
            held.append(one)
        else:
            yield one
    yield from released()


def _looked_at(
    looks: Iterable[_Look], settings: Settings, on_progress: Callable[[int, int], None], total: int
) -> Iterator[_Seen | Exception]:
    """What was seen of each file, or why it cannot be used, in the order of the files."""
    early: dict[int, _Seen | Exception] = {}
    told = 0
    if not total:
        return
    processes = max(1, min(settings.processes, total))
    answers = fan_out(
        _look, looks, processes=processes, check=lambda: on_progress(told, total), limits=Limits.of(settings)
    )
    with closing(answers):
        for order, answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, GenrescopeError | OSError):
                raise answer
            early[order.number] = answer
            while told in early:
                yield early.pop(told)
                told += 1


def _check_file(path: Path, max_bytes: int) -> None:
    if not path.is_file():
        raise AudioError("This is a pipe or a device, not a file.")
    if _as_text(path) != str(path):
        raise AudioError("The name of this file, or of its folder, holds bytes that are not text. Rename it.")
    if path.stat().st_size > max_bytes:
        raise AudioError("The file is larger than the limit (GENRESCOPE_MAX_AUDIO_BYTES).")


def _describe(
    path: Path,
    sha256: str,
    seen: _Seen,
    directory: Path,
    genre_from: GenreFrom,
    csv_file: Path | None,
    described: dict[str, str],
) -> FoundFile:
    probe = seen.probe
    artist, title, album = _names(path, seen.tags, described)
    genres = _genres(genre_from, path, directory, seen.tags, described)
    source, reference = {
        "folder": ("folder", str(directory)),
        "top-folder": ("folder", str(directory)),
        "tag": ("tag", ""),
        "csv": ("csv", csv_file.name if csv_file else ""),
    }[genre_from]
    return FoundFile(
        path=str(path),
        sha256=sha256,
        size_bytes=seen.size_bytes,
        mtime_ns=seen.mtime_ns,
        copied=False,
        container=probe.container,
        codec=probe.codec,
        sample_rate=probe.sample_rate,
        channels=probe.channels,
        duration_s=probe.duration_s,
        title=title,
        artist=artist,
        album=album,
        votes=tuple(Vote(genre, source, 1.0, reference) for genre in genres),
        packets_sha256=seen.packets_sha256,
        file_sha256=seen.file_sha256,
    )


def _names(path: Path, said: Tags, described: dict[str, str]) -> tuple[str, str, str]:
    """Artists, title and album: as the CSV says, else the tags, else the file name (which tells no album)."""
    named_artist, named_title = names.artist_and_title(path.stem)
    artists = (*filter(None, map(clean, described.get("artist", "").split(";"))),) or said.artists
    title = described.get("title") or said.title
    if not artists and not title:
        artists = (named_artist,)
    return (
        SEVERAL.join(filter(None, map(clean, artists))),
        clean(title) or named_title,
        clean(described.get("album") or said.album),
    )


def _genres(way: GenreFrom, path: Path, directory: Path, said: Tags, described: dict[str, str]) -> tuple[str, ...]:
    inside = path.relative_to(directory).parts
    if way == "tag":
        return genres_in(said.genres)
    if way == "csv":
        return genres_in([described.get("genre", "")])
    genre = path.parent.name if way == "folder" else inside[0] if len(inside) > 1 else directory.name
    return tuple(filter(None, [clean(genre, limit=MAX_GENRE)]))


def _copied(found: FoundFile, settings: Settings) -> FoundFile:
    """Copy the file into the workspace under its key; the copy is what the library then speaks of."""
    target = settings.audio / found.sha256[:2] / f"{found.sha256}{Path(found.path).suffix.lower()}"
    if not target.exists():
        with whole(target) as partial:
            shutil.copyfile(found.path, partial)
    stat = target.stat()
    return FoundFile(
        **{
            **vars(found),
            "path": str(target),
            "copied": True,
            "size_bytes": stat.st_size,
            "mtime_ns": stat.st_mtime_ns,
        }
    )
