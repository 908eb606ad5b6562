"""What the app remembers for one session, and where its settings are: all that a page needs before it knows of any library."""

import threading
from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context_attr import SCRIPT_RUN_CONTEXT_ATTR_NAME
from streamlit.runtime.state.common import unpack_widget_state_value

from core.settings import Settings

TOLD = "told"
"""A sentence to show once, after the rerun that an action ended with."""
DISMISSED = "dismissed"
"""Jobs whose ending was read and put away."""
LARGEST_VALUE = 1_000_000
"""Bytes of a value of a guest's widget: the largest is a list of files, of some hundred each."""
_ON_CLOSE: dict[str, Callable[[], object]] = {}
"""What to do when the page of a session closes. Not in a cache of Streamlit's, which any visitor could clear for all."""


@st.cache_resource
def settings() -> Settings:
    """The workspace."""
    return Settings.read()


def is_guest() -> bool:
    """Whether a guest is served, who is shown Predict and nothing else."""
    return settings().mode == "demo"


def get(key: str, default: Any = None) -> Any:
    """What this session remembers under one of the keys above."""
    return st.session_state.get(key, default)


def take(key: str) -> Any:
    """What is remembered under a key, once."""
    value = get(key)
    put(key, None)
    return value


def put(key: str, value: Any) -> None:
    """Remember something for this session."""
    st.session_state[key] = value


def tell(text: str) -> None:
    """Show a sentence after the next rerun."""
    put(TOLD, text)


def on_close(action: Callable[[], object]) -> None:
    """Have an action done when the page of this session closes, instead of an earlier one."""
    if context := get_script_run_ctx():
        _ON_CLOSE[context.session_id] = action


def close(is_open: Callable[[str], bool]) -> None:
    """Do what sessions wanted done whose pages are not open any more; what a session remembers Streamlit keeps for longer."""
    for session_id in [session_id for session_id in list(_ON_CLOSE) if not is_open(session_id)]:
        if action := _ON_CLOSE.pop(session_id, None):
            action()


def can_have(session_id: str, state: WidgetState) -> bool:
    """Whether a widget that this session has shown can have this value; another would stay, and break every later run."""
    this = runtime.get_instance().get_app_session(session_id)
    widget = this.session_state.get_widget_metadata(state.id) if this else None
    if this is None or widget is None or state.WhichOneof("value") not in (None, widget.value_type):
        return False
    if state.ByteSize() > LARGEST_VALUE:
        return False
    thread = threading.current_thread()  # files are looked up, and their names checked, by the context of a thread
    context = this.create_detached_script_run_ctx(query_string="", context_info=None)
    setattr(thread, SCRIPT_RUN_CONTEXT_ATTR_NAME, context)
    try:
        widget.deserializer(unpack_widget_state_value(state))
    except Exception:  # noqa: BLE001 - whatever Streamlit's widgets raise about a value, the value is the reason
        return False
    finally:
        setattr(thread, SCRIPT_RUN_CONTEXT_ATTR_NAME, None)
    return True
