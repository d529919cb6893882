"""Spectra and M-mode told by their content, where no header says what a picture is."""
