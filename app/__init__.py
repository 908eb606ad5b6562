"""The frame around the pages: navigation, state, and what pages share on the screen."""
