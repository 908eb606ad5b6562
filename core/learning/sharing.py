"""Models handed on: a folder as one zip file, and back, from a file or from the web.

A zip from outside holds exactly the three files of a model, each of a bounded size; its SHA-256 is compared before it is
opened where it was fetched; and a model is in its place only when it was loaded and has answered.
"""

import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from core.errors import ModelError
from core.fetch_file import download, path_of
from core.files import whole
from core.learning import model
from core.learning.model import CARD, GRAPH, NAME, WEIGHTS
from core.settings import Settings

MEMBERS = (CARD, GRAPH, WEIGHTS)
MAX_ZIP_BYTES = 200_000_000
"""Of a zip file, and of what it holds."""
_MAX_DIRECTORY_BYTES = 4096  # three entries take about 200
_END, _END64 = b"PK\x05\x06", b"PK\x06\x07"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def export_zip(folder: Path, target: Path, *, replace: bool = False) -> None:
    """Write a model folder to `target` as one zip file, whole; the same model gives the same bytes. `ModelError` if damaged.

    `FileExistsError` if `target` exists, unless it is to be replaced.
    """
    data = as_zip(folder)
    with whole(target, replace=replace) as partial:
        partial.write_bytes(data)


def as_zip(folder: Path) -> bytes:
    """What `export_zip` writes."""
    model.load(folder)  # what is handed on works
    files = {name: model.read_file(folder, name) for name in MEMBERS}
    if sum(map(len, files.values())) > MAX_ZIP_BYTES - 10_000:
        raise ModelError(
            f"The model {folder.name!r} is larger than {MAX_ZIP_BYTES // 1_000_000} MB: too large to share."
        )
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name, _LONG_AGO)
            member.create_system, member.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            archive.writestr(member, data)
    return made.getvalue()


def import_zip(source: Path | bytes, settings: Settings, *, name: str | None = None) -> Path:
    """Take in a model from a zip file, as `name` (else as the file is called); its folder. `ModelError` if it cannot be used."""
    name = name or (name_from(source.name) if isinstance(source, Path) else None)
    target = _free(settings, name)
    try:
        with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            return _take_in(file, target)
    except OSError as error:
        raise ModelError(f"{source if isinstance(source, Path) else 'The file'} cannot be read: {error}.") from error


def fetch(
    url: str,
    sha256: str,
    settings: Settings,
    *,
    name: str | None = None,
    check: Callable[[], None] = lambda: None,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Path:
    """Get a model's zip file from the web and take it in, as `name` (else as the address ends); its folder.

    `check` and `on_progress` as in `fetch_file.download`. `SourceError` if it is not fetched or is another file than the
    one of this SHA-256, which is then never opened; `ModelError` if it is no model.
    """
    target = _free(settings, name or name_from(path_of(url)))
    check_sha256(sha256)
    settings.models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=settings.models) as place:
        got = Path(place, "model.zip")
        download(
            url,
            got,
            sha256=sha256,
            max_bytes=MAX_ZIP_BYTES,
            settings=settings,
            check=check,
            on_progress=on_progress,
        )
        with got.open("rb") as file:
            return _take_in(file, target)


def check_sha256(said: str) -> None:
    """Raise `ModelError` unless this is a SHA-256 as people write it."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", said):
        raise ModelError(
            "A SHA-256 is 64 digits from 0 to f. It stands where the model's address does: copy it from there."
        )


def name_from(path: str) -> str | None:
    """A name that a model may have, from the name of its zip file; None if nothing is left of it."""
    last = re.split(r"[/\\]", path)[-1]
    kept = re.sub(r"[^A-Za-z0-9 ._-]+", "-", re.sub(r"\.zip$", "", last, flags=re.IGNORECASE)).strip(" ._-")[:60]
    return kept if NAME.fullmatch(kept) else None


def _free(settings: Settings, name: str | None) -> Path:
    """The folder of a new model; `ModelError` if it may not have the name, or another has."""
    if name is None:
        raise ModelError("This model has no name yet. Give it one.")
    target = settings.models / model.check_name(name)
    if any((root / name).exists() for root in settings.model_folders):
        raise ModelError(f"There is a model named {name!r} already. Choose another name.")
    return target


def _take_in(file: BinaryIO, target: Path) -> Path:
    """Unpack, check and publish a model, whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=target.parent) as place:
        unpacked = Path(place, target.name)
        unpacked.mkdir()
        _unpack(file, unpacked)
        model.load(unpacked)
        try:
            unpacked.rename(target)
        except OSError as error:
            raise ModelError(f"There is a model named {target.name!r} already. Choose another name.") from error
    return target


def _unpack(file: BinaryIO, folder: Path) -> None:
    """Write the three files of a model from a zip file into `folder`; `ModelError` if it holds anything else."""
    if not _is_small_zip(file):
        raise ModelError("This is no zip file of a model.")
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = sorted(member.filename for member in members)
            if names != sorted(MEMBERS):
                raise ModelError(
                    f"This zip file holds {', '.join(names)[:200] or 'nothing'}. That of a model holds exactly "
                    f"{', '.join(MEMBERS)}."
                )
            for member in members:
                if member.flag_bits & 0x1 or stat.S_ISLNK(member.external_attr >> 16):
                    raise ModelError(f"{member.filename} in this zip file is a link, or is locked with a password.")
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ModelError(f"{member.filename} in this zip file is packed in an unusual way.")
            if sum(member.file_size for member in members) > MAX_ZIP_BYTES:
                raise ModelError(f"Unpacked, this zip file would take more than {MAX_ZIP_BYTES // 1_000_000} MB.")
            for member in members:  # what is unpacked is never longer than the directory says
                with archive.open(member) as packed, (folder / member.filename).open("wb") as out:
                    shutil.copyfileobj(packed, out, 1_000_000)
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        NotImplementedError,
        EOFError,
        ValueError,
        OSError,
        zlib.error,
    ) as error:
        told = " ".join(str(error).split())[:200]  # zipfile quotes what it found, which may be the whole file
        raise ModelError(f"This zip file is damaged, or cannot be unpacked: {told}.") from error


def _is_small_zip(file: BinaryIO) -> bool:
    """Whether this is a zip file with a short directory: a long one would fill the memory before it can be looked at.

    The directory's length stands in the end record, the last 22 bytes of a file without a comment; a record before it may
    say otherwise (zip64), and is of no use to so small a file.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - 42))
    tail = file.read()
    file.seek(0)
    before, end = tail[:-22], tail[-22:]
    is_end = len(end) == 22 and end.startswith(_END) and end.endswith(b"\0\0") and not before.startswith(_END64)
    return size <= MAX_ZIP_BYTES and is_end and int.from_bytes(end[12:16], "little") <= _MAX_DIRECTORY_BYTES
