"""Teaching what tells spectra and M-mode traces from B-mode: drawn screens, real tissue, a net."""
