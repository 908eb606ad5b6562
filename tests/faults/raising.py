"""An app whose page raises where `?raise=` says so; what is said then is the real app's."""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import ui
from core.errors import LibraryError

app = st.App(__file__, on_script_error=ui.tell_uncaught)


def fail() -> None:
    raise RuntimeError("what only the terminal may know")


@st.fragment
def part(*, fails: bool) -> None:
    st.text("a part")
    if fails:
        fail()


if get_script_run_ctx():  # not while the server imports it
    where = st.query_params.get("raise")
    st.button("Do it", on_click=fail if where == "callback" else None)
    part(fails=where == "fragment")
    if where == "known":
        raise LibraryError("The library was made by a newer Genrescope.")
    if where == "disk":
        raise OSError(28, "No space left on device")
    if where == "page":
        fail()
    st.text("the end")
