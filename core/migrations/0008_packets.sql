-- Which recording an audio file holds, whatever its tags say.
--
-- From here on `audio_files.sha256` names a recording, and every file made of it, such as spectrograms: it is that of the
-- audio packets of the file. In rows of before it is that of the whole file, and stays, since spectrograms, trainings,
-- evaluations and models speak of it. What their packets are is read once, by the next job that makes or needs spectrograms.

ALTER TABLE audio_files ADD COLUMN packets_sha256 TEXT;   -- NULL: not read yet
ALTER TABLE audio_files ADD COLUMN file_sha256 TEXT;      -- of the whole file as it was seen last; NULL of one that was collected
UPDATE audio_files SET file_sha256 = sha256;
CREATE INDEX audio_files_of_packets ON audio_files (packets_sha256);
