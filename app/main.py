"""What `streamlit run app/main.py` serves: the frame around every page, and what is said of errors that no page caught."""

import streamlit as st
from starlette.middleware import Middleware

from app import ui
from app.server import Guard

app = st.App("frame.py", middleware=[Middleware(Guard)], on_script_error=ui.tell_uncaught)
