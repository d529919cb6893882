"""Logs, metrics and health: what the gate says of itself, never of a patient."""
