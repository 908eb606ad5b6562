"""One root for every error a person may meet: its text says what happened, why, and what to do."""

import errno
import os
from datetime import datetime

STOPPED = "Stopped. The same command goes on from here."
"""What a command says after Ctrl-C."""


class GenrescopeError(Exception):
    """Root of all expected errors; `str(error)` is a sentence for a person."""


class AudioError(GenrescopeError):
    """A file cannot be used as sound."""


class LibraryError(GenrescopeError):
    """The library refuses a request, or lacks what was asked for."""


class LibraryDamaged(LibraryError):
    """The library's file is damaged, empty or no library; the text names the newest backup."""


class WorkspaceError(GenrescopeError, OSError):
    """The disk or the library file does not take what is written: full, read-only, somebody else's, or held by another."""

    def __str__(self) -> str:
        """The sentence alone, without the system's number."""
        return str(self.args[-1])


_DISK = {
    errno.ENOSPC: "The disk is full. Free some space, and do it again: it goes on from here.",
    errno.EDQUOT: "The disk space that you may use is full. Free some, and do it again: it goes on from here.",
    errno.EROFS: "The workspace cannot be written: its disk is mounted read-only.",
    errno.EACCES: "The workspace cannot be written: this user may not. Change its owner, or choose another with --home.",
    errno.EPERM: "The workspace cannot be written: this user may not. Change its owner, or choose another with --home.",
}


def disk_trouble(error: BaseException) -> WorkspaceError | None:
    """A failed write in a sentence, if the disk is to blame; else None."""
    if isinstance(error, WorkspaceError):
        return error
    number = error.errno if isinstance(error, OSError) else None
    return WorkspaceError(number, _DISK[number]) if number in _DISK else None


def sentence(error: Exception) -> str:
    """An error in a sentence for people; '' if it is an unexpected one."""
    if isinstance(error, GenrescopeError):
        return str(error)
    if trouble := disk_trouble(error):
        return str(trouble)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}."
    if isinstance(error, RuntimeError) and str(error).startswith(("Symlink loop", "Could not determine home")):
        return f"A path cannot be used: {str(error).rstrip('.')}."
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        name = error.object[:200].encode("utf-8", "backslashreplace").decode()
        return f"A name here is not valid UTF-8, so the library cannot keep it: {name}. Rename it."
    return ""


class TrainingRefused(GenrescopeError):
    """A training cannot begin with these songs or settings."""


class LeakError(TrainingRefused):
    """What is tested on would be known from training: by artist, by recording, or by statistics."""


class ModelError(GenrescopeError):
    """A model folder is missing, damaged, foreign, or does not fit."""


class JobStopped(GenrescopeError):
    """A person asked the running job to stop."""


class JobFailed(GenrescopeError):
    """A job that another process ran has failed; the text is the job's own."""


class ClusterError(GenrescopeError):
    """A Dask cluster that is set cannot be used, or went away."""


class SourceError(GenrescopeError):
    """A playlist, a service or a list cannot be read."""


class RateLimited(SourceError):
    """A service asks for a pause. Nobody sleeps through it: `retry_at` (UTC) is stored and shown."""

    def __init__(self, text: str, retry_at: datetime) -> None:
        """`text` names the service; when to try again is added to it."""
        super().__init__(text, retry_at)  # both, so that it comes whole out of another process
        self.text = text
        self.retry_at = retry_at

    def __str__(self) -> str:
        """What happened, and when to ask again."""
        return f"{self.text} It answers again at {self.retry_at:%H:%M} UTC on {self.retry_at:%d %B %Y}."
