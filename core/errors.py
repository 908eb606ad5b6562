"""One root for every error a person may meet: its text says what happened, why, and what to do."""


class GenrescopeError(Exception):
    """Root of all expected errors; `str(error)` is a sentence for a person."""


class AudioError(GenrescopeError):
    """A file cannot be used as sound."""


class LibraryError(GenrescopeError):
    """The library refuses a request, or lacks what was asked for."""


class TrainingRefused(GenrescopeError):
    """A training cannot begin with these songs or settings."""


class ModelError(GenrescopeError):
    """A model folder is missing, damaged, foreign, or does not fit."""


class JobStopped(GenrescopeError):
    """A person asked the running job to stop."""


class JobFailed(GenrescopeError):
    """A job that another process ran has failed; the text is the job's own."""
