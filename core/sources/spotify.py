"""Playlists of Spotify.

What Spotify gives to whom (2026): single tracks, search and the names of playlists to any app; the songs of a playlist
only to a signed-in user who owns it or collaborates on it; playlists made by Spotify itself to no new app. So whoever
is signed in is asked for, and else the app's own id and secret.
"""

import re
from typing import Any

import requests
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.oauth2 import SpotifyClientCredentials

from core.errors import SourceError
from core.music import Playlist, PlaylistHit
from core.settings import Settings
from core.sources import cleaning
from core.sources.contract import Progress, no_progress
from core.sources.spotify_answers import Answer, Head, Reading, address, head_of, hits_of
from core.sources.spotify_signin import NOT_SIGNED_IN, WRONG_CLIENT, SignIn, client_id, secret, told
from core.sources.spotify_web import Refused, ask, client, session

POLICY = (
    "Spotify's Developer Policy (section III.14) forbids using Spotify content to train a machine-learning model, and "
    "what a playlist lists may be such content. From Spotify, Genrescope reads names of songs and never sound; that "
    "alone does not make training with them allowed. Read the policy at developer.spotify.com/policy before you train "
    "on what you collect from here, or take playlists from another source."
)
PAGE = 50
"""Rows asked for at once."""
SEARCH_PAGE = 10
"""More is refused since 2026."""
MAX_FOUND = 1000
"""Spotify's search goes no further."""
MAX_ROWS = 100_000
"""No longer playlist is read; Spotify's own limit is far below."""
READINGS = 3
"""How often a playlist is read that changes meanwhile, before it is given up."""
_MAX_WORDS = 250
_EPISODES_TOO = ("track", "episode")  # else an episode looks like an empty row

_ID = "(?P<id>[0-9A-Za-z]{22})"
_FORMS = (
    re.compile(
        r"(?i:(?:https?://)?open\.spotify\.com/(?:intl-[a-z-]+/)?(?:embed/)?)(?:user/[^/?#]+/)?playlist/"
        + _ID
        + r"/?(?:[?#].*)?"
    ),
    re.compile(r"spotify:(?:user:[^:]+:)?playlist:" + _ID),
    re.compile(_ID),
)
_WAY_OUT = (
    "copy its songs into a playlist of your own and read that, or export it as CSV (Exportify does that) and drop the "
    "file here."
)


class SpotifySource:
    """Playlists of Spotify, as `core.sources.contract` asks. References are ids of 22 letters and digits."""

    name = "spotify"
    title = "Spotify"
    policy = POLICY
    """What must be said beside this source."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is asked yet."""
        self._settings = settings
        self._sign_in = SignIn(settings)
        over = session(settings)
        self._access = _Access(settings, self._sign_in, over)
        self._spotify = client(settings, over, auth_manager=self._access)

    @property
    def searches(self) -> bool:
        """Whether there is anything to ask with: somebody signed in, or an app with its secret."""
        app = self._settings.spotify_client_id and self._settings.spotify_client_secret
        return bool(app) or self._sign_in.signed_in_as() is not None

    def recognise(self, text: str) -> str | None:
        """The id in an address, a URI or itself; None for albums, tracks and everything else."""
        found = next((match for form in _FORMS if (match := form.fullmatch(text.strip()))), None)
        return found["id"] if found else None

    def fetch(self, reference: str, *, limit: int | None = None, on_progress: Progress = no_progress) -> Playlist:
        """The playlist with all its tracks, or its first `limit`.

        A playlist that changes between two of its pages may miss songs or hold them twice: it is read again, at most
        `READINGS` times in all, and progress begins anew; then it is a `SourceError`, as a torn list would not show
        that it is one. Raises as the contract says.
        """
        playlist_id = self.recognise(reference)
        if playlist_id is None:
            said = cleaning.name(reference)[:100]
            raise SourceError(f"“{said}” is no playlist of Spotify. Copy its link from Spotify.")
        head = self._head(playlist_id)
        for _ in range(READINGS):
            reading = self._read(playlist_id, head.title, limit, on_progress)
            if reading.n_pages <= 1 or (now := self._head(playlist_id)).snapshot == head.snapshot:
                return _playlist(playlist_id, head, reading, limit)
            head = now
        raise SourceError(
            f"The playlist “{head.title}” changes while it is read: somebody is editing it. Try again in a while."
        )

    def search(self, words: str, *, limit: int = 10) -> list[PlaylistHit]:
        """At most `limit` playlists for these words, best first; withdrawn ones are left out, so it may be fewer.

        Raises as `fetch`.
        """
        words = " ".join(words.split())[:_MAX_WORDS]
        hits: list[PlaylistHit] = []
        offset, total = 0, min(limit, MAX_FOUND) if words else 0
        while offset < total:
            size = min(SEARCH_PAGE, total - offset)
            page = self._search_page(words, size, offset)
            found, n_entries, n_all = hits_of(page)
            hits += found
            offset += size
            if not n_entries or (n_all is not None and offset >= n_all):
                break
        return hits[: max(limit, 0)]

    def _search_page(self, words: str, size: int, offset: int) -> Answer:
        try:
            answer = ask(self._spotify.search, words, limit=size, offset=offset, type="playlist")
        except Refused as refusal:
            if refusal.status == 400:
                raise SourceError("Spotify cannot search for these words. Try others.") from None
            raise SourceError(self._told(refusal)) from None
        playlists = answer.get("playlists")
        return playlists if isinstance(playlists, dict) else {}

    def _head(self, playlist_id: str) -> Head:
        """What the playlist says of itself. Raises `SourceError` if it is not there, or its songs are not for us."""
        try:
            head = head_of(ask(self._spotify.playlist, playlist_id, additional_types=_EPISODES_TOO))
        except Refused as refusal:
            raise SourceError(self._told_of_playlist(refusal, "this playlist")) from None
        if not head.readable:
            raise SourceError(self._told_of_playlist(Refused(403), f"“{head.title}”"))
        return head

    def _read(self, playlist_id: str, title: str, limit: int | None, on_progress: Progress) -> Reading:
        """One pass over the pages. Each is asked for by its number; where an answer says to go on is not looked at."""
        reading, rows = Reading(), self._new_rows
        while not reading.ended and (limit is None or len(reading.tracks) < limit):
            size = PAGE if limit is None else min(PAGE, limit - len(reading.tracks))
            try:
                page = rows(playlist_id, size, reading.n_rows)
            except Refused as refusal:
                if reading.n_rows or rows == self._old_rows or refusal.status not in (404, 405):
                    raise SourceError(self._told_of_playlist(refusal, f"“{title}”")) from None
                rows = self._old_rows  # the playlist is there, so it is the endpoint that is not
                continue
            reading.add(page)
            _check_size(reading, limit)
            _report(reading, limit, on_progress)
        return reading

    def _new_rows(self, playlist_id: str, size: int, offset: int) -> Answer:
        """A page of rows, as since 2026."""
        ask_for = self._spotify.playlist_items
        return ask(ask_for, playlist_id, limit=size, offset=offset, additional_types=_EPISODES_TOO)

    def _old_rows(self, playlist_id: str, size: int, offset: int) -> Answer:
        """A page of rows, as before; spotipy has no public call for it any more."""
        kinds = ",".join(_EPISODES_TOO)
        path = f"playlists/{playlist_id}/tracks"
        return ask(self._spotify._get, path, limit=size, offset=offset, additional_types=kinds)

    def _told_of_playlist(self, refusal: Refused, which: str) -> str:
        """What a person can do where a playlist is refused."""
        if refusal.status == 403:
            whose = f"Spotify gives the songs of {which} only to its owner and its collaborators"
            if self._sign_in.signed_in_as() is None:
                return f"{whose}. If it is yours, sign in to Spotify first. If not, {_WAY_OUT}"
            return f"{whose}, and you are neither. You can {_WAY_OUT}"
        if refusal.status in (400, 404):
            return (
                f"Spotify does not give out {which}: it is gone, private, or made by Spotify itself, whose own playlists "
                f"are closed to new apps. If you see it in Spotify, {_WAY_OUT}"
            )
        return self._told(refusal)

    def _told(self, refusal: Refused) -> str:
        """What a person can do about any other refusal."""
        if refusal.status == 401 and self._sign_in.signed_in_as() is None:
            return "Spotify does not accept the app's own token. Sign in to Spotify, or check client id and secret."
        return told(refusal)


class _Access:
    """The token for each request: of who is signed in, else the app's own, which is kept in memory only."""

    def __init__(self, settings: Settings, sign_in: SignIn, over: requests.Session) -> None:
        self._settings = settings
        self._sign_in = sign_in
        self._session = over
        self._app: Any = None

    def get_access_token(self, as_dict: bool = False) -> str:
        """As spotipy calls it. Raises `SourceError` if there is nothing to ask with, or Spotify does not know it."""
        return self._sign_in.access_token() or self._app_token()

    def _app_token(self) -> str:
        if self._app is None:
            self._app = self._client_credentials()
        try:
            return str(self._app.get_access_token(as_dict=False))
        except Refused:
            raise SourceError(WRONG_CLIENT) from None

    def _client_credentials(self) -> Any:
        app_id, app_secret = client_id(self._settings), secret(self._settings.spotify_client_secret)
        if not app_secret:
            raise SourceError(NOT_SIGNED_IN)
        made = SpotifyClientCredentials(
            app_id, app_secret, requests_session=self._session, cache_handler=MemoryCacheHandler()
        )
        made.OAUTH_TOKEN_URL = f"{self._settings.spotify_accounts_url.rstrip('/')}/api/token"
        return made


def _check_size(reading: Reading, limit: int | None) -> None:
    """Refuse what could go on for ever, and that before most of it is read."""
    if reading.n_rows > MAX_ROWS or (limit is None and (reading.total or 0) > MAX_ROWS):
        raise SourceError(
            f"This playlist is longer than {MAX_ROWS:,} songs, which is more than is read. "
            "Divide it in Spotify, and read the parts."
        )


def _report(reading: Reading, limit: int | None, on_progress: Progress) -> None:
    """Rows read of all; with a limit, tracks found of those wanted."""
    if limit is None:
        on_progress(reading.n_rows, reading.total)
    else:
        found = min(len(reading.tracks), limit)
        on_progress(found, limit if reading.total is None else min(limit, reading.total))


def _playlist(playlist_id: str, head: Head, reading: Reading, limit: int | None) -> Playlist:
    return Playlist(
        source="spotify",
        reference=playlist_id,
        title=head.title,
        tracks=tuple(reading.tracks[:limit]),
        owner=head.owner,
        url=address(playlist_id),
        skipped=dict(reading.skipped),
        n_listed=reading.total,
    )
