"""The one table of pages. Objects with absolute paths: tests and the app both understand them."""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from app import session
from core.settings import PROJECT

TABLE = (
    ("home", "Home", ":material/home:"),
    ("playlists", "Playlists", ":material/queue_music:"),
    ("genres", "Genres", ":material/category:"),
    ("collect", "Collect", ":material/download:"),
    ("library", "Library", ":material/library_music:"),
    ("explore", "Explore", ":material/equalizer:"),
    ("label", "Label", ":material/label:"),
    ("train", "Train", ":material/model_training:"),
    ("evaluate", "Evaluate", ":material/fact_check:"),
    ("predict", "Predict", ":material/graphic_eq:"),
    ("map", "Map", ":material/scatter_plot:"),
    ("system", "System", ":material/settings:"),
)


def pages() -> dict[str, StreamlitPage]:
    """Every page by its name, in the order of the navigation; the first opens at the root. A guest has one, wherever he comes from."""
    if session.is_guest():
        return _for_guests()
    return {
        name: st.Page(PROJECT / "pages" / f"{name}.py", title=title, icon=icon, url_path=name, default=number == 0)
        for number, (name, title, icon) in enumerate(TABLE)
    }


def _for_guests() -> dict[str, StreamlitPage]:
    """Predict, and for every other address that somebody may have kept or made up, the way there."""
    predict = st.Page(PROJECT / "pages" / "guest.py", title="Predict", icon=":material/graphic_eq:", default=True)

    def lead_there() -> None:
        st.switch_page(predict)

    path = (st.context.url or "").partition("?")[0].split("/")[3:]  # after scheme and host
    asked = [part for part in path if part][-1:]
    others = {*(name for name, _, _ in TABLE), *asked} - {"guest"}
    return {
        "guest": predict,
        **{name: st.Page(lead_there, title="Predict", url_path=name, visibility="hidden") for name in others},
    }
