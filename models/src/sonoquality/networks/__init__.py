"""Encoders in torch, for training, export and the `tinyusfm` profile. Scoring needs none of it."""
