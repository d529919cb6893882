"""What a person at the command line can put right; each message names the remedy.

QualityError
├── UnreadableImageError  a file isn't a picture that is understood, or it holds several
├── SmallImageError       too few pixels to say anything about
├── SizesDifferError      two pictures to compare differ in size
├── ManifoldError         a file isn't the organ model that is asked for
│   └── OtherEncoderError an organ model was fitted on the features of another encoder
├── WeightsError          a file isn't the whole set of an encoder's weights
├── UnknownOrganError     no organ model of that name was given
├── MissingExtraError     the command needs an optional part of the distribution
├── MultimodalError       a language model did not answer as it was asked (in mllm.port)
└── BenchError            a benchmark's data or answers aren't what was asked for
"""


class QualityError(Exception):
    """The quality models could not do what was asked."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.__doc__)


class UnreadableImageError(QualityError):
    """The file isn't a picture that is understood here."""


class SmallImageError(QualityError):
    """The picture has too few pixels to say anything about."""


class SizesDifferError(QualityError):
    """Two pictures to compare must have the same size."""


class ManifoldError(QualityError):
    """The file isn't the organ model that is asked for."""


class OtherEncoderError(ManifoldError):
    """The organ model was fitted on the features of another encoder."""


class WeightsError(QualityError):
    """The file isn't the whole set of an encoder's weights."""


class UnknownOrganError(QualityError):
    """No organ model of that name was given."""


class MissingExtraError(QualityError):
    """The command needs an optional part of the distribution."""


class BenchError(QualityError):
    """The benchmark's data or answers aren't what was asked for."""
