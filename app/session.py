"""What the app remembers for one session, and where its settings are: all that a page needs before it knows of any library."""

from typing import Any

import streamlit as st

from core.settings import Settings

TOLD = "told"
"""A sentence to show once, after the rerun that an action ended with."""
DISMISSED = "dismissed"
"""Jobs whose ending was read and put away."""


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
