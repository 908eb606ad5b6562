"""A stand-in for api.spotify.com and accounts.spotify.com: a real HTTP server on 127.0.0.1 with made-up playlists.

    with SpotifyServer(shape="2026") as server:
        server.add(FakePlaylist(MINE, "Mine", rows=songs(120)))
        settings = Settings(home=..., **server.settings())

It keeps to the documented behaviour: PKCE with S256, codes that work once, refresh tokens that work once, pages of at
most 50 rows and 10 hits (100 and 50 before 2026), songs only for owners and collaborators (since 2026). Whoever opens
`/authorize` has consented at once. `requests` holds what it was asked.
"""

import base64
import hashlib
import json
import secrets
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

Shape = Literal["2021", "2026", "both"]
Json = dict[str, Any]

CLIENT_ID = "made-up-client-id"
CLIENT_SECRET = "made-up-client-secret"
ME = "ada"


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


@dataclass
class FakePlaylist:
    """A playlist; `rows` gives whole rows in the shape of 2021, and may make them as they are asked for.

    `edits` is how often its snapshot still changes: once after each page that is read.
    """

    id: str
    name: str
    rows: Sequence[Any] = ()
    owner: str = ME
    owner_name: str = "Ada L."
    collaborators: tuple[str, ...] = ()
    snapshot: int = 1
    edits: int = 0


def playlist_id(number: int) -> str:
    """22 letters and digits."""
    return f"{number:022d}"


def track(number: int, **changes: Any) -> Json:
    """A track object as the API documents it; it has a boolean `track` of its own."""
    made = {
        "album": {"id": playlist_id(number + 10**9), "name": f"Album {number // 10}", "type": "album"},
        "artists": [{"id": playlist_id(number + 2 * 10**9), "name": f"Artist {number % 97}", "type": "artist"}],
        "duration_ms": 180_000 + number % 1000,
        "episode": False,
        "external_ids": {"isrc": f"GBAAA{number % 10**7:07d}"},
        "id": playlist_id(number),
        "is_local": False,
        "name": f"Song {number}",
        "track": True,
        "type": "track",
        "uri": f"spotify:track:{playlist_id(number)}",
    }
    return made | changes


def row(thing: Json | None, **changes: Any) -> Json:
    """A row of a playlist, in the shape of 2021."""
    return {"added_at": "2024-01-01T00:00:00Z", "is_local": False, "track": thing} | changes


class Songs(Sequence[Json]):
    """Rows with songs, made as they are asked for."""

    def __init__(self, n: int) -> None:
        self._n = n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [row(track(number)) for number in range(*at.indices(self._n))]
        return row(track(range(self._n)[at]))


def songs(n: int) -> Sequence[Json]:
    """`n` rows with different songs."""
    return Songs(n)


def in_shape(rows: Sequence[Any], shape: Shape) -> list[Any]:
    """Rows of 2021 with the keys of another year."""
    if shape == "2021":
        return list(rows)
    moved = [dict(one, item=one.get("track")) if isinstance(one, dict) else one for one in rows]
    if shape == "2026":
        return [{k: v for k, v in one.items() if k != "track"} if isinstance(one, dict) else one for one in moved]
    return moved


def json_reply(body: Any, status: int = 200, **headers: str) -> Reply:
    """A reply with JSON; `Retry_After="4"` is the header Retry-After."""
    named = tuple((key.replace("_", "-"), value) for key, value in headers.items())
    return Reply(status, json.dumps(body).encode(), (("Content-Type", "application/json"), *named))


def error(status: int, message: str = "no", **headers: str) -> Reply:
    """An error as the API tells it."""
    return json_reply({"error": {"status": status, "message": message}}, status, **headers)


@dataclass
class _Grant:
    """A consent that waits to be exchanged."""

    redirect_uri: str
    challenge: str


@dataclass
class SpotifyServer:
    """The server; what is not given behaves as Spotify did in 2026. Attributes may be changed while it runs.

    `next_host` is where `next` links point (None: back here, as real ones do). `expires_in` is how long tokens last by
    their own word, in seconds. `n_found` is how many playlists any search finds, of which every fourth is null.
    """

    shape: Shape = "2026"
    user: str = ME
    user_name: str | None = "Ada L."
    allowed: bool = True
    consents: bool = True
    rotates: bool = True
    expires_in: int = 3600
    next_host: str | None = None
    n_found: int = 25
    playlists: dict[str, FakePlaylist] = field(default_factory=dict)
    replies: dict[str, Callable[[Json], Reply | None]] = field(default_factory=dict)
    requests: list[Seen] = field(default_factory=list)
    user_tokens: set[str] = field(default_factory=set)
    app_tokens: set[str] = field(default_factory=set)
    refresh_tokens: set[str] = field(default_factory=set)
    codes: dict[str, _Grant] = field(default_factory=dict)
    issued: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _http: ThreadingHTTPServer | None = None

    # -- running -------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        assert self._http is not None, "start it first"
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def settings(self, *, with_secret: bool = True) -> dict[str, str]:
        """Arguments of `Settings` that lead here."""
        given = {
            "spotify_api_url": f"{self.url}/v1",
            "spotify_accounts_url": self.url,
            "spotify_client_id": CLIENT_ID,
        }
        return given | ({"spotify_client_secret": CLIENT_SECRET} if with_secret else {})

    def environment(self) -> dict[str, str]:
        """The same for a process that is started."""
        return {f"GENRESCOPE_{name.upper()}": value for name, value in self.settings().items()}

    def start(self) -> "SpotifyServer":
        server = self

        class Handler(_Handler):
            spotify = server

        self._http = _Http(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()

    def __enter__(self) -> "SpotifyServer":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- setting up ----------------------------------------------------------------------------------------------------

    def add(self, playlist: FakePlaylist) -> FakePlaylist:
        self.playlists[playlist.id] = playlist
        return playlist

    def reply(self, path: str, *replies: Reply) -> None:
        """Answer requests for `path` with these, one after the other, the last one for good."""
        left = list(replies)
        self.replies[path] = lambda _query: left.pop(0) if len(left) > 1 else left[0]

    def reply_once(self, path: str, *replies: Reply) -> None:
        """Answer with these one after the other, then as ever."""
        left = list(replies)
        self.replies[path] = lambda _query: left.pop(0) if left else None

    def reply_pages(self, path: str, pages: dict[int, bytes]) -> None:
        """Answer by offset, whatever page size is asked for."""
        self.replies[path] = lambda query: Reply(200, pages[int(query.get("offset", 0))])

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        with self.lock:
            return [seen.path for seen in self.requests]

    def forget_tokens(self) -> None:
        """All access tokens end now, without notice."""
        self.user_tokens.clear()
        self.app_tokens.clear()

    # -- answering -----------------------------------------------------------------------------------------------------

    def answer(self, seen: Seen) -> Reply:
        self.requests.append(seen)
        if seen.path in self.replies and (prepared := self.replies[seen.path](seen.query)) is not None:
            return prepared
        if seen.path == "/authorize":
            return self._authorize(seen.query)
        if seen.path == "/api/token" and seen.method == "POST":
            return self._token(seen)
        if seen.path.startswith("/v1/"):
            return self._api(seen)
        return Reply(404)

    def _authorize(self, query: dict[str, str]) -> Reply:
        """As if the user had agreed (or refused) on the page that the real one shows."""
        if query.get("client_id") != CLIENT_ID or not query.get("redirect_uri", "").startswith("http://127.0.0.1:"):
            return Reply(400, b"INVALID_CLIENT: Invalid redirect URI", (("Content-Type", "text/plain"),))
        if query.get("response_type") != "code" or query.get("code_challenge_method") != "S256":
            return Reply(400, b"code_challenge_method must be S256", (("Content-Type", "text/plain"),))
        back = {"state": query.get("state", "")}
        if self.consents:
            code = self._made("code")
            self.codes[code] = _Grant(query["redirect_uri"], query["code_challenge"])
            back = {"code": code} | back
        else:
            back = {"error": "access_denied"} | back
        return Reply(302, b"", (("Location", f"{query['redirect_uri']}?{urlencode(back)}"),))

    def _token(self, seen: Seen) -> Reply:
        match seen.form.get("grant_type"):
            case "client_credentials":
                basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
                if seen.headers.get("authorization") != f"Basic {basic}":
                    return json_reply({"error": "invalid_client", "error_description": "Invalid client secret"}, 400)
                token = self._made("app")
                self.app_tokens.add(token)
                return json_reply({"access_token": token, "token_type": "Bearer", "expires_in": self.expires_in})
            case _ if seen.form.get("client_id") != CLIENT_ID:
                return json_reply({"error": "invalid_client", "error_description": "Invalid client"}, 400)
            case "authorization_code":
                return self._exchange(seen.form)
            case "refresh_token":
                return self._refresh(seen.form)
        return json_reply({"error": "unsupported_grant_type"}, 400)

    def _exchange(self, form: dict[str, str]) -> Reply:
        grant = self.codes.pop(form.get("code", ""), None)
        hashed = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if grant is None:
            return json_reply({"error": "invalid_grant", "error_description": "Invalid authorization code"}, 400)
        if grant.redirect_uri != form.get("redirect_uri") or grant.challenge != hashed.decode().rstrip("="):
            return json_reply({"error": "invalid_grant", "error_description": "code_verifier was incorrect"}, 400)
        return self._user_token(self._made("refresh"))

    def _refresh(self, form: dict[str, str]) -> Reply:
        old = form.get("refresh_token", "")
        if old not in self.refresh_tokens:
            return json_reply({"error": "invalid_grant", "error_description": "Refresh token revoked"}, 400)
        if not self.rotates:
            return self._user_token(None)
        self.refresh_tokens.discard(old)
        return self._user_token(self._made("refresh"))

    def _user_token(self, refresh_token: str | None) -> Reply:
        token = self._made("user")
        self.user_tokens.add(token)
        answer = {
            "access_token": token,
            "token_type": "Bearer",
            "scope": "playlist-read-private playlist-read-collaborative",
            "expires_in": self.expires_in,
        }
        if refresh_token is not None:
            self.refresh_tokens.add(refresh_token)
            answer["refresh_token"] = refresh_token
        return json_reply(answer)

    def _made(self, kind: str) -> str:
        """A secret that must turn up nowhere."""
        made = f"{kind}-{secrets.token_urlsafe(24)}"
        self.issued.append(made)
        return made

    def _api(self, seen: Seen) -> Reply:
        token = seen.headers.get("authorization", "").removeprefix("Bearer ")
        by_user = token in self.user_tokens
        if not by_user and token not in self.app_tokens:
            return error(401, "The access token expired")
        if by_user and not self.allowed:
            return error(403, "Check settings on developer.spotify.com/dashboard, the user may not be registered.")
        match seen.path.removeprefix("/v1/").strip("/").split("/"):
            case ["me", *_] if not by_user:
                return error(401, "This request requires user authentication.")
            case ["me"]:
                return json_reply({"id": self.user, "display_name": self.user_name, "type": "user"})
            case ["me", "playlists"]:
                return self._own(seen)
            case ["search"]:
                return self._search(seen)
            case ["playlists", found] if found in self.playlists:
                return self._head(self.playlists[found], by_user)
            case ["playlists", found, endpoint] if found in self.playlists and endpoint in self._endpoints():
                return self._rows(self.playlists[found], endpoint, seen, by_user)
        return error(404, "Resource not found")

    def _endpoints(self) -> tuple[str, ...]:
        return {"2021": ("tracks",), "2026": ("items",), "both": ("tracks", "items")}[self.shape]

    def _may_read(self, playlist: FakePlaylist, by_user: bool) -> bool:
        return self.shape == "2021" or (by_user and self.user in (playlist.owner, *playlist.collaborators))

    def _head(self, playlist: FakePlaylist, by_user: bool) -> Reply:
        described = self._described(playlist)
        if self._may_read(playlist, by_user):
            rows = in_shape(playlist.rows[:20], self.shape)
            first = self._page(f"/v1/playlists/{playlist.id}", rows, 0, 20, len(playlist.rows))
            described |= dict.fromkeys(self._endpoints(), first)
        return json_reply(described)

    def _described(self, playlist: FakePlaylist) -> Json:
        return {
            "collaborative": bool(playlist.collaborators),
            "external_urls": {"spotify": f"https://open.spotify.com/playlist/{playlist.id}"},
            "id": playlist.id,
            "images": [None],
            "name": playlist.name,
            "owner": {"id": playlist.owner, "display_name": playlist.owner_name, "type": "user"},
            "snapshot_id": f"snapshot-{playlist.snapshot}",
            "type": "playlist",
            "uri": f"spotify:playlist:{playlist.id}",
        }

    def _rows(self, playlist: FakePlaylist, endpoint: str, seen: Seen, by_user: bool) -> Reply:
        if not self._may_read(playlist, by_user):
            return error(403, "Forbidden")
        offset, limit = int(seen.query.get("offset", 0)), int(seen.query.get("limit", 20))
        if not 1 <= limit <= (100 if self.shape == "2021" else 50):
            return error(400, "Invalid limit")
        if playlist.edits:
            playlist.edits -= 1
            playlist.snapshot += 1
        rows = in_shape(playlist.rows[offset : offset + limit], self.shape)
        return json_reply(self._page(seen.path, rows, offset, limit, len(playlist.rows)))

    def _page(self, path: str, items: list[Any], offset: int, limit: int, total: int) -> Json:
        more = offset + limit < total
        link = f"{self.next_host or self.url}{path}?offset={offset + limit}&limit={limit}"
        return {
            "href": f"{self.url}{path}",
            "items": items,
            "limit": limit,
            "next": link if more else None,
            "offset": offset,
            "previous": None,
            "total": total,
        }

    def _own(self, seen: Seen) -> Reply:
        """The playlists of the server, then a null and a nameless one, as in old recordings."""
        entries: list[Json | None] = [self._listed(one) for one in self.playlists.values()]
        entries += [None, {"id": None, "name": "Starred", "owner": {"id": ME}}]
        offset, limit = int(seen.query.get("offset", 0)), int(seen.query.get("limit", 20))
        if not 1 <= limit <= 50:
            return error(400, "Invalid limit")
        return json_reply(self._page(seen.path, entries[offset : offset + limit], offset, limit, len(entries)))

    def _listed(self, playlist: FakePlaylist) -> Json:
        counted = {"href": f"{self.url}/v1/playlists/{playlist.id}", "total": len(playlist.rows)}
        return self._described(playlist) | dict.fromkeys(self._endpoints(), counted)

    def _search(self, seen: Seen) -> Reply:
        offset, limit = int(seen.query.get("offset", 0)), int(seen.query.get("limit", 20))
        if not seen.query.get("q"):
            return error(400, "No search query")
        if not 1 <= limit <= (50 if self.shape == "2021" else 10):
            return error(400, "Invalid limit")
        found = [
            self._listed(FakePlaylist(playlist_id(n), f"{seen.query['q']} {n}", owner="eve")) if n % 4 != 3 else None
            for n in range(offset, min(offset + limit, self.n_found))
        ]
        return json_reply({"playlists": self._page(seen.path, list(found), offset, limit, self.n_found)})


class _Http(ThreadingHTTPServer):
    """Does not mind callers who hang up: tests of time-outs do."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, has it answered, and writes the answer."""

    spotify: SpotifyServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the end of each answer waits for the other side's acknowledgement
    timeout = 10

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        seen = Seen(
            method=self.command,
            path=parts.path,
            query={key: values[-1] for key, values in parse_qs(parts.query).items()},
            form=dict(parse_qsl(sent)),
            headers={key.lower(): value for key, value in self.headers.items()},
        )
        with self.spotify.lock:
            reply = self.spotify.answer(seen)
        self.send_response(reply.status)
        for key, value in reply.headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""
