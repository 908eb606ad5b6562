"""Signing in to Spotify: Authorization Code with PKCE, which needs a client id and no secret.

The token lies in `settings.spotify_token`, readable by this user only. Renewing it makes the old one worthless, so
that is done by one process at a time, under a lock beside the file.
"""

import base64
import hashlib
import json
import os
import secrets
import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

from filelock import FileLock
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.oauth2 import SpotifyPKCE

from core.errors import SourceError
from core.music import PlaylistHit
from core.settings import Settings
from core.sources.spotify_answers import UNREADABLE, Answer, hits_of, person
from core.sources.spotify_web import Refused, ask, client, session

SCOPES = ("playlist-read-private", "playlist-read-collaborative")
MAX_OWN = 10_000
"""No more playlists of one person are listed."""
SPARE_S = 60
"""A token is renewed this long before it ends."""
_PAGE = 50

HOW_TO_GET_A_CLIENT_ID = (
    "Spotify wants to know which app asks, and there is no client id yet. To get one, create an app at "
    "developer.spotify.com/dashboard with Web API and the redirect URI http://127.0.0.1:8501/playlists. Put its client "
    "id into the environment as GENRESCOPE_SPOTIFY_CLIENT_ID, or into .streamlit/secrets.toml as spotify_client_id, and "
    "start Genrescope again."
)
WRONG_CLIENT = (
    "Spotify does not know the app by this client id and secret. Compare GENRESCOPE_SPOTIFY_CLIENT_ID and "
    "GENRESCOPE_SPOTIFY_CLIENT_SECRET (or both in .streamlit/secrets.toml) with your app at "
    "developer.spotify.com/dashboard."
)
SIGN_IN_AGAIN = "Spotify does not accept the sign-in any more: it ran out or was withdrawn. Sign in again."
NOT_SIGNED_IN = "You are not signed in to Spotify. Sign in first."
NOT_ON_THE_LIST = (
    "Spotify does not let this account use the app. While an app is in development mode, its owner must have Premium, "
    "and every account must be on its list: developer.spotify.com/dashboard, your app, User Management. Add the "
    "account there, and sign in again."
)


@dataclass(frozen=True)
class _Token:
    """What is stored; `expires_at` in seconds since 1970. Its text shows no secret."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: int
    name: str

    @property
    def fresh(self) -> bool:
        return self.expires_at > time.time() + SPARE_S


class SignIn:
    """Who is signed in to Spotify in this workspace: one person or nobody."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is asked and nothing is read yet."""
        self._settings = settings
        self._session = session(settings)
        self._file = settings.spotify_token

    def begin(self, redirect_uri: str) -> tuple[str, str, str]:
        """Where to send the browser, and what to keep until it comes back: `(address, state, verifier)`.

        Spotify sends it to `redirect_uri`, which must be one of the app's, with `state` and a `code`, or `error`.
        Raises `SourceError` if there is no client id.
        """
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
        return self._pkce(redirect_uri, verifier).get_authorize_url(state), state, verifier

    def finish(self, code: str, verifier: str, redirect_uri: str) -> None:
        """Exchange `code` for a token, ask whose it is, and store it.

        The caller has compared `state`. Raises `SourceError` if the code is old or used, or the account is not on the
        app's list; `RateLimited` if a pause is due. Then nothing is stored.
        """
        if not code or not verifier:  # spotipy would ask for a code at the terminal
            raise SourceError("Spotify sent no code, so nobody is signed in. Sign in again.")
        pkce = self._pkce(redirect_uri, verifier)

        def exchange() -> Any:
            pkce.get_access_token(code, check_cache=False)
            return pkce.cache_handler.get_cached_token()

        try:
            answer = ask(exchange)
        except Refused as refusal:
            raise SourceError(
                "Spotify does not accept this sign-in: it is too old, or was used already. Sign in again."
                if refusal.reason == "invalid_grant"
                else WRONG_CLIENT
            ) from None
        self._store(_checked(answer, name=self._whose(answer)))

    def signed_in_as(self) -> str | None:
        """The name of who is signed in, as Spotify shows it; None if nobody is. Asks nobody."""
        token = self._read()
        return token.name if token else None

    def sign_out(self) -> None:
        """Forget the token; the consent itself is withdrawn at spotify.com/account/apps."""
        if self._file.exists():
            with self._lock():
                self._file.unlink(missing_ok=True)

    def access_token(self) -> str | None:
        """The token to ask with, renewed if it is about to end; None if nobody is signed in.

        Raises `SourceError` if Spotify does not renew it; nobody is signed in then.
        """
        token = self._read()
        if token is not None and not token.fresh:
            with self._lock():
                token = self._read()  # another process may have renewed it meanwhile, or signed out
                if token is not None and not token.fresh:
                    token = self._renew(token)
        return token.access_token if token else None

    def own_playlists(self) -> list[PlaylistHit]:
        """All playlists in the library of who is signed in, also those of others that they follow.

        Raises `SourceError` if nobody is signed in, or Spotify does not answer; `RateLimited` if a pause is due.
        """
        token = self.access_token()
        if token is None:
            raise SourceError(NOT_SIGNED_IN)
        spotify = client(self._settings, self._session, auth=token)
        found: list[PlaylistHit] = []
        offset, total = 0, None
        while offset < MAX_OWN and (total is None or offset < total):
            try:
                page = ask(spotify.current_user_playlists, limit=_PAGE, offset=offset)
            except Refused as refusal:
                raise SourceError(told(refusal)) from None
            hits, n_entries, total = hits_of(page)
            if not n_entries:
                break
            found += hits
            offset += n_entries
        return found

    def _whose(self, answer: Answer) -> str:
        """The name of the user whose token this is."""
        spotify = client(self._settings, self._session, auth=_checked(answer, name="").access_token)
        try:
            name = person(ask(spotify.current_user))
        except Refused as refusal:
            raise SourceError(told(refusal)) from None
        if not name:
            raise SourceError(UNREADABLE)
        return name

    def _pkce(self, redirect_uri: str, verifier: str = "") -> Any:
        accounts = self._settings.spotify_accounts_url.rstrip("/")
        made = SpotifyPKCE(
            client_id=client_id(self._settings),
            redirect_uri=redirect_uri,
            scope=list(SCOPES),
            requests_session=self._session,
            open_browser=False,
            cache_handler=MemoryCacheHandler(),  # without one, spotipy writes `.cache` into the working directory
        )
        made.OAUTH_AUTHORIZE_URL = f"{accounts}/authorize"
        made.OAUTH_TOKEN_URL = f"{accounts}/api/token"
        made.code_verifier, made.code_challenge = verifier, _challenge(verifier)  # else spotipy makes its own
        return made

    def _renew(self, token: _Token) -> _Token:
        pkce = self._pkce("http://127.0.0.1")  # spotipy wants one; it is not sent
        try:
            renewed = _checked(ask(pkce.refresh_access_token, token.refresh_token), name=token.name)
        except Refused as refusal:
            if refusal.reason != "invalid_grant":
                raise SourceError(WRONG_CLIENT) from None
            self._file.unlink(missing_ok=True)
            raise SourceError(SIGN_IN_AGAIN) from None
        self._write(renewed)
        return renewed

    def _lock(self) -> FileLock:
        return FileLock(self._file.with_suffix(".lock"))

    def _read(self) -> _Token | None:
        """The stored token; one that is damaged counts as none."""
        try:
            stored = json.loads(self._file.read_text(encoding="utf-8"))
            return _checked(stored, name=stored["name"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError, SourceError):
            return None

    def _store(self, token: _Token) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file.parent.chmod(0o700)  # it may have been there already
        with self._lock():
            self._write(token)

    def _write(self, token: _Token) -> None:
        """Whole or not at all, and never readable by others, not for a moment."""
        partial = self._file.with_name(f".partial-{uuid.uuid4().hex}.json")
        try:
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
                json.dump(asdict(token), out)
                out.flush()
                os.fsync(out.fileno())
            partial.replace(self._file)
        finally:
            partial.unlink(missing_ok=True)


def client_id(settings: Settings) -> str:
    """The app's client id. Raises `SourceError`, which says how to get one, if there is none."""
    if given := secret(settings.spotify_client_id):
        return given
    raise SourceError(HOW_TO_GET_A_CLIENT_ID)


def secret(value: Any) -> str:
    """The text of a `SecretStr` without spaces around it; empty if it is None."""
    return value.get_secret_value().strip() if value else ""


def told(refusal: Refused) -> str:
    """What a person can do about a refusal of the API that has nothing to do with one playlist."""
    match refusal.status:
        case 401:
            return SIGN_IN_AGAIN
        case 403:
            return NOT_ON_THE_LIST
    return str(refusal)


def _challenge(verifier: str) -> str:
    """What Spotify is told of `verifier` before the sign-in (RFC 7636, S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _checked(answer: Answer, *, name: Any) -> _Token:
    """The token in an answer or a file. Raises `SourceError` if it is none."""
    parts = [answer.get("access_token"), answer.get("refresh_token")]
    expires_at = answer.get("expires_at")
    if not all(isinstance(part, str) and part.isascii() and part.isprintable() and part for part in parts):
        raise SourceError(UNREADABLE)
    if not isinstance(expires_at, int) or not isinstance(name, str):
        raise SourceError(UNREADABLE)
    return _Token(str(parts[0]), str(parts[1]), expires_at, name)
