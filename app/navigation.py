"""The one table of pages. Objects with absolute paths: tests and the app both understand them."""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

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
)


def pages() -> dict[str, StreamlitPage]:
    """Every page by its name, in the order of the navigation; the first opens at the root."""
    return {
        name: st.Page(PROJECT / "pages" / f"{name}.py", title=title, icon=icon, url_path=name, default=number == 0)
        for number, (name, title, icon) in enumerate(TABLE)
    }
