"""A visitor of the app without a browser: says to Streamlit's server what its page would say, and reads what it is told.

Fifty browsers need more of a machine than what they visit; fifty of these need little. Messages are Streamlit's own (its
protobufs over its WebSocket, its address and token for uploads), so the server does all that it does for a page.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import monotonic
from typing import Self
from uuid import uuid4

import requests
from google.protobuf.message import Message
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileUploaderState, FileURLs
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets import Origin, Subprotocol
from websockets.sync.client import connect

DROP_HERE = "Drop songs here"
UNFORESEEN = "nobody foresaw"
"""Part of what is said of an error that no page caught."""
SECONDS = 60.0
"""A page may take so long to be drawn, or to take a file."""


@dataclass
class Visitor:
    """A page of the app at `url`, the first unless one is named, with a query if one is given; open until the end of the `with`."""

    url: str
    name: str = ""
    query: str = ""
    elements: dict[tuple[int, ...], Element] = field(default_factory=dict)
    """What is on the page, by its place."""
    errors: list[str] = field(default_factory=list)
    """Exceptions that pages showed, whenever, and what was said of those that no page caught."""
    _drawn: set[tuple[int, ...]] = field(default_factory=set)
    _busy: bool = True
    _page: str = ""
    _parts: set[str] = field(default_factory=set)
    _addresses: dict[str, FileURLs] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._open = ExitStack()
        self._http = self._open.enter_context(requests.Session())
        self._http.trust_env = False
        self._http.get(
            f"{self.url}/_stcore/health", headers={"Connection": "close"}, timeout=SECONDS
        ).raise_for_status()
        self.token = self._http.cookies["_streamlit_xsrf"]
        self._socket = self._open.enter_context(
            connect(
                f"{self.url.replace('http', 'ws', 1)}/_stcore/stream",
                origin=Origin(self.url),
                subprotocols=[Subprotocol("streamlit"), Subprotocol(self.token)],
                additional_headers={"Cookie": f"_streamlit_xsrf={self.token}"},
                max_size=None,
                proxy=None,
                open_timeout=SECONDS,
            )
        )
        self._rerun()
        self.wait(lambda: not self._busy)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def texts(self) -> list[str]:
        """What is to be read on the page, from top to bottom."""
        return [text for _, element in sorted(self.elements.items()) for text in _strings(element)]

    def reads(self, text: str) -> bool:
        """Whether a text is to be read anywhere on the page."""
        return any(text in one for one in self.texts)

    def wait(self, until: Callable[[], object], seconds: float = SECONDS) -> None:
        """Read on until something is so. `TimeoutError` if it does not become so."""
        deadline = monotonic() + seconds
        while not until():
            self._read(ForwardMsg.FromString(self._socket.recv(timeout=max(0.0, deadline - monotonic()), decode=False)))

    def again(self) -> None:
        """Have the page drawn anew."""
        self._rerun()

    def refresh(self) -> None:
        """Have the parts drawn anew that do so by themselves after a while, all of them, now."""
        for part in sorted(self._parts):
            if part not in self._parts:
                continue
            self._busy = True
            told = {
                "query_string": self.query,
                "page_script_hash": self._page,
                "fragment_id": part,
                "is_auto_rerun": True,
            }
            self._say(BackMsg(rerun_script=told))
            self.rest()

    def rest(self) -> None:
        """Wait until the page is drawn."""
        self.wait(lambda: not self._busy)

    def address(self, name: str) -> FileURLs:
        """Where a file is to be put, as the server says."""
        request = str(uuid4())
        self._say(BackMsg(file_urls_request={"request_id": request, "file_names": [name]}))
        self.wait(lambda: request in self._addresses)
        return self._addresses.pop(request)

    def put(self, address: FileURLs, name: str, data: bytes) -> requests.Response:
        """Send a file to an address, with this visitor's token."""
        # a connection of its own: the server may just be closing an idle one, and a browser would ask again then
        headers = {"X-Xsrftoken": self.token, "Connection": "close"}
        return self._http.put(
            f"{self.url}{address.upload_url}", files={"file": (name, data)}, headers=headers, timeout=SECONDS
        )

    def drop(self, name: str, data: bytes) -> None:
        """Drop a song, as a page does: ask for an address, put it there, tell of it."""
        address = self.address(name)
        self.put(address, name, data).raise_for_status()
        self.tell(address, name, len(data))

    def tell(self, address: FileURLs, name: str, size: int) -> None:
        """Tell the page that a song at an address was dropped."""
        boxes = [one.file_uploader for one in self.elements.values() if one.HasField("file_uploader")]
        box = next(box for box in boxes if box.label == DROP_HERE)
        told = FileUploaderState()
        told.uploaded_file_info.add(name=name, size=size, file_id=address.file_id, file_urls=address)
        self._rerun(WidgetState(id=box.id, file_uploader_state_value=told))

    def press(self, label: str) -> None:
        """Press the first button whose label fits a pattern."""
        buttons = [one.button for one in self.elements.values() if one.HasField("button")]
        button = next(button for button in buttons if re.search(label, button.label))
        self._rerun(WidgetState(id=button.id, trigger_value=True))

    def _say(self, message: BackMsg) -> None:
        self._socket.send(message.SerializeToString())

    def _rerun(self, *states: WidgetState) -> None:
        self._busy = True
        told = {"query_string": self.query, "page_script_hash": self._page, "widget_states": {"widgets": states}}
        if not self._page:
            told["page_name"] = self.name
        self._say(BackMsg(rerun_script=told))

    def _read(self, told: ForwardMsg) -> None:
        place = tuple(told.metadata.delta_path)
        match told.WhichOneof("type"):
            case "new_session":
                self._drawn = set()
                if not told.metadata.run.fragment_ids:  # the whole page, which may have other parts then
                    self._parts = set()
            case "navigation":
                self._page = told.navigation.page_script_hash
            case "delta" if told.delta.HasField("new_element"):
                self.elements[place] = told.delta.new_element
                self._drawn.add(place)
                self.errors.extend(_exceptions(told.delta.new_element))
            case "delta":
                self.elements.pop(place, None)
            case "auto_rerun":
                self._parts.add(told.auto_rerun.fragment_id)
            case "file_urls_response":
                self._addresses[told.file_urls_response.response_id] = told.file_urls_response.file_urls[0]
            case "script_finished":
                self._busy = told.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN
                if told.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    self.elements = {at: one for at, one in self.elements.items() if at in self._drawn}


def _exceptions(element: Element) -> Iterator[str]:
    if element.HasField("exception"):
        yield f"{element.exception.type}: {element.exception.message}"
    if element.HasField("alert") and UNFORESEEN in element.alert.body:
        yield element.alert.body


def _strings(message: Message) -> Iterator[str]:
    """All texts in a message, whatever it holds."""
    for descriptor, value in message.ListFields():
        several = value if descriptor.is_repeated else [value]
        for one in several if descriptor.message_type or descriptor.type == descriptor.TYPE_STRING else ():
            if isinstance(one, Message):
                yield from _strings(one)
            elif isinstance(one, str):
                yield one
