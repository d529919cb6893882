"""FrameScores to Verdict: pure functions; no clock, no network, no settings at import."""
