"""One root for every error a person may meet: its text says what happened, why, and what to do."""

from datetime import datetime


class GenrescopeError(Exception):
    """Root of all expected errors; `str(error)` is a sentence for a person."""


class AudioError(GenrescopeError):
    """A file cannot be used as sound."""


class LibraryError(GenrescopeError):
    """The library refuses a request, or lacks what was asked for."""


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
