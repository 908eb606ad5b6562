"""ASGI middleware in front of Streamlit: own origin only, no frames, no developer messages, bounded uploads.

It answers before Streamlit sees a request, so before any script runs. Everything here runs on the server's event loop, one step at
a time, and needs no lock.
"""

from dataclasses import dataclass

from google.protobuf.message import DecodeError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from streamlit import config, runtime
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from app import session
from core.files import size_in_words
from core.settings import Settings

MESSAGES = {"rerun_script", "stop_script", "file_urls_request", "app_heartbeat"}
"""What a page may ask of Streamlit. The rest is for developers: clearing all caches, run on save, what git says, shutting down."""
OPERATIONS = {"deferred_file", "dataframe_chunk"}
"""Operations of a page: a download that is made when it is asked for, more rows of a table. The rest installs files."""
FOR_GUESTS = {"health", "host-config", "stream", "upload_file", "bidi-components"}
"""What guests reach of Streamlit's own addresses, `/_stcore/...`."""
MOST_FILES_AT_ONCE = 1_000
"""Files that a guest's page may ask addresses for at once."""
OVERHEAD_BYTES = 1_000_000
"""What an upload may be larger than its file: the form around it."""
FRAMING = {"Content-Security-Policy": "frame-ancestors 'none'", "X-Frame-Options": "DENY"}
UNSUPPORTED = 1003
"""Closing code of RFC 6455: a page sends no text."""


class Guard:
    """The middleware; `settings` are those of the environment unless given."""

    def __init__(self, app: ASGIApp, settings: Settings | None = None) -> None:
        """Read the settings once: they hold until the server ends."""
        self._app = app
        settings = settings or Settings()
        self._guests = settings.mode == "demo"
        if self._guests:
            one = max(settings.guest_keep_bytes, settings.guest_upload_bytes) + OVERHEAD_BYTES
            self._uploads = Uploads(one, max(one, settings.guest_pending_bytes))
        else:
            self._uploads = Uploads(settings.pending_bytes, settings.pending_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on what is allowed."""
        if scope["type"] == "http":
            await self._http(scope, receive, _unframed(send))
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, _unframed(send))
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = [part for part in scope["path"].split("/") if part]
        own = parts[parts.index("_stcore") + 1 :] if "_stcore" in parts else []
        if why_not := _refusal(scope, any_host=own == ["health"]):
            await PlainTextResponse(why_not, 403)(scope, receive, send)
        elif self._guests and "_stcore" in parts and not FOR_GUESTS.intersection(own[:1]):
            await PlainTextResponse("Not found", 404)(scope, receive, send)
        elif scope["method"] == "PUT" and own[:1] == ["upload_file"] and len(own) == 3:
            await self._uploads.take(self._app, scope, receive, send, session_id=own[1], file_id=own[2])
        else:
            await self._app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        why_not = _refusal(scope) or (
            "" if "origin" in Headers(scope=scope) else "Only a page of this app may connect."
        )
        if why_not:
            await WebSocket(scope, receive, send).send_denial_response(PlainTextResponse(why_not, 403))
            return

        page = _Page(receive, send, guests=self._guests)
        try:
            await self._app(scope, page.receive, page.send)
        finally:
            self._uploads.forget_closed()
            session.close(is_open)


class _Page:
    """The connection of a page: passes on the messages that it may send, and of a guest's only values that its widgets can have."""

    def __init__(self, receive: Receive, send: Send, *, guests: bool) -> None:
        self._receive, self._send = receive, send
        self._guests = guests
        self._session_id = ""

    async def receive(self) -> Message:
        """The next message that Streamlit is to see."""
        while True:
            message = await self._receive()
            if message["type"] != "websocket.receive":
                return message
            data = message.get("bytes")
            if data is None:
                await self._send({"type": "websocket.close", "code": UNSUPPORTED})
                return {"type": "websocket.disconnect", "code": UNSUPPORTED}
            if allowed := self._allowed(data):
                return {**message, "bytes": allowed}

    async def send(self, message: Message) -> None:
        """Pass a message of Streamlit's on; the first tells which session this is."""
        if self._guests and not self._session_id and message.get("bytes"):
            sent = ForwardMsg.FromString(message["bytes"])
            self._session_id = sent.new_session.initialize.session_id
        await self._send(message)

    def _allowed(self, data: bytes) -> bytes | None:
        """What of a message Streamlit is to see. One that cannot be read, whole: it closes the connection then."""
        try:
            message = BackMsg.FromString(data)
        except DecodeError:
            return data
        kind = message.WhichOneof("type")
        if kind == "backend_operation_request":
            return data if message.backend_operation_request.WhichOneof("payload") in OPERATIONS else None
        if kind not in MESSAGES:
            return None
        if self._guests and kind == "file_urls_request":
            return data if len(message.file_urls_request.file_names) <= MOST_FILES_AT_ONCE else None
        if self._guests and kind == "rerun_script":
            widgets = message.rerun_script.widget_states.widgets
            possible = [one for one in widgets if session.can_have(self._session_id, one)]
            del widgets[:]
            widgets.extend(possible)
            return bytes(message.SerializeToString())
        return data


@dataclass
class _Pending:
    """An upload that is on its way, or that no run of a page has taken over yet."""

    session_id: str
    file_id: str
    size_bytes: int = 0
    is_stored: bool = False


class Uploads:
    """Uploads in Streamlit's memory, with bounds in bytes per session and over all sessions."""

    def __init__(self, per_session: int, in_all: int) -> None:
        """Both bounds include what is on its way."""
        self._per_session, self._in_all = per_session, in_all
        self._pending: list[_Pending] = []

    async def take(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, session_id: str, file_id: str
    ) -> None:
        """Pass an upload on to Streamlit, byte by byte counted; refuse it with a sentence beyond a bound."""
        self._forget_taken()
        declared = Headers(scope=scope).get("content-length", "")
        upload = _Pending(session_id, file_id)
        if why_not := self._refusal(upload, int(declared) if declared.isdecimal() else 0):
            while (await receive()).get("more_body"):  # a browser reads the answer only after it has sent all
                pass
            await PlainTextResponse(why_not, 413)(scope, receive, send)
            return

        async def counted() -> Message:
            message = await receive()
            size_bytes = len(message.get("body", b""))
            if why_not := self._refusal(upload, size_bytes):
                raise HTTPException(413, why_not)
            upload.size_bytes += size_bytes
            return message

        self._pending.append(upload)
        try:
            await app(scope, counted, send)
        finally:
            upload.is_stored = True
            self.forget_closed()

    def forget_closed(self) -> None:
        """Free the uploads of pages that were closed, and stop counting those that a page has taken over."""
        for session_id in {one.session_id for one in self._pending}:
            if not is_open(session_id):
                runtime.get_instance().uploaded_file_mgr.remove_session_files(session_id)
        self._forget_taken()

    def _forget_taken(self) -> None:
        manager = runtime.get_instance().uploaded_file_mgr
        self._pending = [
            one for one in self._pending if not one.is_stored or manager.get_files(one.session_id, [one.file_id])
        ]

    def _refusal(self, upload: _Pending, more_bytes: int) -> str:
        """Why `more_bytes` of an upload are not taken; '' if they are."""
        of_session = sum(one.size_bytes for one in self._pending if one.session_id == upload.session_id)
        if of_session + more_bytes > self._per_session:
            return f"{size_in_words(self._per_session)} at a time are enough here. Drop fewer files at once."
        if sum(one.size_bytes for one in self._pending) + more_bytes > self._in_all:
            return "Many files are being uploaded just now. Try again in a minute."
        return ""


def is_open(session_id: str) -> bool:
    """Whether a session has a page that is open."""
    return runtime.get_instance().is_active_session(session_id)


def _unframed(send: Send) -> Send:
    """`send`, every response with headers that keep other sites from framing it."""

    async def unframed(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
            MutableHeaders(scope=message).update(FRAMING)
        await send(message)

    return unframed


def _refusal(scope: Scope, *, any_host: bool = False) -> str:
    """Why a request is not answered, by its names of this server and of the page that it comes from; '' if it is.

    `any_host`: by whatever name this server is asked, as load balancers do.
    """
    headers = Headers(scope=scope)
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    host = hosts[0] if len(hosts) == 1 else None
    if not any_host and not is_host_allowed(host):
        return "This app is not reached under this name (server.allowedHosts)."
    own = {_own_origin(scope, headers, host), *config.get_option("server.corsAllowedOrigins")}
    if origins and not (len(origins) == 1 and origins[0] in own):
        return "This app answers its own pages only."
    return ""


def _own_origin(scope: Scope, headers: Headers, host: str | None) -> str:
    """The origin of this server's pages, as browsers name it. TLS is a proxy's: no page of elsewhere can set its header."""
    forwarded = headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    scheme = forwarded or {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    return f"{scheme}://{host}"
