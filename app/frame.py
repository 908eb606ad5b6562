"""The frame around every page."""

from pathlib import Path

import streamlit as st

from app import session, ui
from app.navigation import pages

st.set_page_config(page_title="Genrescope", page_icon=str(Path(__file__).with_name("icon.svg")), layout="wide")
if st.context.theme.type in ("dark", "light"):
    st.html(Path(__file__).with_name(f"{st.context.theme.type}.css"))
if told := session.settings().refusal_to_listen(st.get_option("server.address")):
    st.title("Genrescope")
    st.error(ui.plain(told), icon=":material/lock:")
    st.stop()
if not session.is_guest():
    ui.look_after_library()
st.navigation(list(pages().values()), position="hidden" if session.is_guest() else "top").run()
