"""Fitting the manifold and its calibration, and writing a zoo entry. Needs no torch."""
