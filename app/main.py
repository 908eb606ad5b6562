"""What `streamlit run app/main.py` serves: the frame around every page, and what is said of errors that no page caught."""

import streamlit as st

from app import ui

app = st.App("frame.py", on_script_error=ui.tell_uncaught)
