"""From sources into the library: playlists read and searched for, genres looked up."""
