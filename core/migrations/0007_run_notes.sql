-- What a person writes about a training, and what its network answered last about the songs it was watched on.

ALTER TABLE runs ADD COLUMN note TEXT NOT NULL DEFAULT '';

CREATE TABLE run_answers (
    run_id INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    epoch INTEGER NOT NULL,               -- after which; 0: those of the finished model
    spectra BLOB NOT NULL                 -- float32 (n_songs, n_genres): in the order of the plan's validation songs
) STRICT;
