"""The frame: `streamlit run app/main.py`."""

from pathlib import Path

import streamlit as st

from app.navigation import pages

st.set_page_config(page_title="Genrescope", page_icon=str(Path(__file__).with_name("icon.svg")), layout="wide")
st.navigation(list(pages().values()), position="top").run()
