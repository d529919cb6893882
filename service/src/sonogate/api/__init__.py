"""The HTTP door: verdicts, studies, live events, health, metrics and the bedside page."""
