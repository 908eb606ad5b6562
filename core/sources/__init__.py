"""Where playlists and genres come from: one module a source, all of one contract."""
