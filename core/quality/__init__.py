"""The quality of labels: which ones a machine doubts that has not learned from them, and which songs are there twice."""
