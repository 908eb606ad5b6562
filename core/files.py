"""Files that are whole or absent: write beside the target, then rename."""

import contextlib
import csv
import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from core.errors import disk_trouble


@contextmanager
def whole(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it into place if the block ends well, delete it if not.

    Raises `WorkspaceError` where the disk takes no more; without `replace`, `FileExistsError` if `path` is there by then.
    """
    partial = path.with_name(f".partial-{uuid.uuid4().hex}{path.suffix}")
    with _told_trouble(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch(exist_ok=False)
        try:
            yield partial
            publish(partial, path, replace=replace)
        finally:
            partial.unlink(missing_ok=True)


def publish(partial: Path, path: Path, *, replace: bool = True) -> None:
    """Give a finished file in the same file system its name; without `replace`, `FileExistsError` if `path` is there."""
    with partial.open("rb+") as written:
        os.fsync(written.fileno())
    if replace:
        partial.replace(path)
        return
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        partial.rename(path)
    else:
        partial.unlink()


@contextmanager
def _told_trouble(path: Path) -> Iterator[None]:
    """A disk that does not take `path` becomes a `WorkspaceError`, which says what to do."""
    try:
        yield
    except OSError as error:
        at = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else path
        ours = path.is_relative_to(at) or at.is_relative_to(path.parent)  # else a file that was read from did it
        trouble = disk_trouble(error) if ours else None
        if trouble is None or trouble is error:
            raise
        raise trouble from error


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """As `whole`, for a folder; `FileExistsError` if `path` is there already."""
    with _told_trouble(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=path.parent))
        try:
            yield partial
            if path.exists():
                raise FileExistsError(path)
            partial.chmod(0o755)
            partial.rename(path)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def work_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a new folder in `parent`, deleted at the end; folders that killed processes left under `prefix` go first.

    The process holds the folder's file `lock`, which the system frees however the process ends.
    """
    from filelock import FileLock  # not in the guest environment, which makes no such folders

    parent.mkdir(parents=True, exist_ok=True)
    sweep_dead(parent, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        with FileLock(folder / "lock"):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_dead(parent: Path, prefix: str) -> None:
    """Remove folders of `work_folder` whose process is dead."""
    from filelock import FileLock

    for folder in parent.glob(f"{prefix}*"):
        lock = folder / "lock"
        with contextlib.suppress(OSError):
            if folder.is_symlink() or time.time() - (lock if lock.exists() else folder).stat().st_mtime < NEW_S:
                continue  # its process may be about to take the lock
            with FileLock(lock, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)


NEW_S = 1.0
"""A work folder younger than this is left alone, seconds."""


def sweep(folder: Path, *, older_than_s: float = 3600.0) -> None:
    """Remove what killed processes left half-written under `folder`; younger things may be somebody's at work."""
    for partial in list(folder.rglob(".partial-*")):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - partial.stat().st_mtime > older_than_s:
                shutil.rmtree(partial) if partial.is_dir() else partial.unlink()


FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet would calculate: a quote is put before it."""


def csv_text(rows: Sequence[Sequence[Any]]) -> str:
    """A table for spreadsheets, its head among the rows. No text in it is a formula."""
    stream = StringIO()
    csv.writer(stream).writerows(
        [f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value for value in row]
        for row in rows
    )
    return stream.getvalue()


def write_json(path: Path, content: Any) -> None:
    """Write `content` as readable JSON, whole or not at all."""
    with whole(path) as partial:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fingerprint(content: Any) -> str:
    """First 16 hex digits of the SHA-256 of `content` as canonical JSON."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def size_in_words(size_bytes: float) -> str:
    """A size as people write it, such as `1.4 GB`."""
    for unit in ("B", "KB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit in ("B", "KB") else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def duration_in_words(duration_s: float) -> str:
    """A time span as people say it, such as `45 s`, `3 min 20 s` or `2 h 5 min`."""
    seconds = round(duration_s)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
