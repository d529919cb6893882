"""Transfer syntaxes (PS3.5 Annex A) by what may be done with them on the way."""

from typing import Final

EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
PLAIN: Final = (EXPLICIT_LITTLE, IMPLICIT_LITTLE)
"""What an object may be decoded to; any archive takes at least the second (PS3.5 10.1)."""

LOSSLESS: Final = frozenset(
    {
        EXPLICIT_LITTLE,
        IMPLICIT_LITTLE,
        "1.2.840.10008.1.2.5",  # RLE
        "1.2.840.10008.1.2.4.57",  # JPEG Lossless
        "1.2.840.10008.1.2.4.70",  # JPEG Lossless, first-order prediction
        "1.2.840.10008.1.2.4.80",  # JPEG-LS
        "1.2.840.10008.1.2.4.90",  # JPEG 2000
        "1.2.840.10008.1.2.4.201",  # HTJ2K
        "1.2.840.10008.1.2.4.202",  # HTJ2K RPCL
    }
)
"""Decoding these to plain samples keeps the instance what it was, and its UID."""
