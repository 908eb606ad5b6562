"""What every source of playlists can do. `tests/sources/test_contract.py` holds each of them to it.

A source keeps no state between calls but its sign-in and its pace. Everything it returns is clean: names on one line
without control characters, lengths in seconds, ISRCs in upper case.
"""

from collections.abc import Callable
from typing import Protocol

from core.music import Playlist, PlaylistHit

Progress = Callable[[int, int | None], None]
"""`(tracks read, tracks in all if known)`; may raise to stop between pages."""


def no_progress(done: int, total: int | None) -> None:
    """Tell nobody."""


class PlaylistSource(Protocol):
    """A place where playlists are found."""

    name: str
    """As stored with every playlist: `spotify`."""
    title: str
    """As people say it: `Spotify`."""

    @property
    def searches(self) -> bool:
        """Whether `search` can find anything now: a file cannot, nor a service that wants an account there is none of."""

    def recognise(self, text: str) -> str | None:
        """The canonical reference in `text` (address, URI, id or path), or None if it is no playlist of this source.

        `recognise(recognise(x)) == recognise(x)`. Looks at the text only, except that a file must be there and its beginning
        says of which kind it is.
        """

    def fetch(self, reference: str, *, limit: int | None = None, on_progress: Progress = no_progress) -> Playlist:
        """The playlist with all its tracks, or its first `limit`.

        Raises `SourceError` in a plain sentence if it is gone, private or damaged; `RateLimited` if a pause is due.
        """

    def search(self, words: str, *, limit: int = 10) -> list[PlaylistHit]:
        """At most `limit` playlists for these words, best first; what is withdrawn is left out.

        Raises as `fetch`.
        """
