"""FrameStack to FrameScores: the quality model in process, and the pool of workers that run it."""
