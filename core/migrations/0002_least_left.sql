-- The least a job ever had left to do: only having less than that is progress, for `done` falls when a job goes on.

ALTER TABLE jobs ADD COLUMN least_left INTEGER;
