"""What can go wrong on purpose.

GateError
├── SettingsError            the gate does not start: names the line and the remedy
│   └── SettingFileError     a file that a setting names is not what it must be
├── ModelError               a model can't be loaded: hash mismatch, missing file, no provider
├── DoorKilledError          a door process was killed before it answered; it is started again
├── CalibrationError         a site's calibration can't be made or used, and what to do instead
├── ReceiveError             answered to the cart: each leaf has a DIMSE status (`receive.status`)
│   ├── SpoolFullError       no room to keep it; the sender retries              0xA700
│   ├── ObjectTooLargeError  over the byte budget of one object                  0xA700
│   ├── SpoolWriteError      the disk refused the bytes; the sender retries      0xA700
│   └── MalformedObjectError what came can't be an object of the negotiated kind 0xC000
├── UnscorableError          acknowledged and kept, but no quality: a verdict, no DIMSE failure
│   ├── UndecodableError     no installed codec reads it
│   ├── UnreadableError      our own disk does not give its bytes back
│   ├── MissingCodecError    a codec exists in an extra that is not installed
│   ├── EmptyPixelDataError  there are no pixels to look at
│   ├── DeadlineError        reading and scoring took longer than allowed
│   └── WorkerCrashError     the object crashed the scoring worker
│       └── WorkerKilledError    the scoring worker was killed from outside
├── NotApplicableError       the object is not one to be judged, with a reason
└── LookupFailure            asked for something that is not here
    ├── UnknownInstanceError
    ├── UnknownStudyError
    ├── UnknownDestinationError
    └── StudyStateError      the study's state does not allow what was asked
"""


class GateError(Exception):
    """The gate could not do its work."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.__doc__)


class SettingsError(GateError):
    """A setting is wrong; nothing was started."""


class SettingFileError(SettingsError):
    """A file that a setting names is not what it must be."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key


class ModelError(GateError):
    """The quality model can't be used."""


class DoorKilledError(GateError):
    """A door process was killed before it answered; is there memory enough for it?"""


class CalibrationError(GateError):
    """A site's calibration can't be made or used."""


class ReceiveError(GateError):
    """The object could not be kept."""


class SpoolFullError(ReceiveError):
    """No room is left to keep the object; free disk space or wait, then send again."""


class ObjectTooLargeError(ReceiveError):
    """The object is over the byte budget of one object."""


class SpoolWriteError(ReceiveError):
    """The disk refused the bytes; check the spool's disk, then send again."""


class MalformedObjectError(ReceiveError):
    """What came is not an object of the negotiated kind."""


class UnscorableError(GateError):
    """The object is kept but can't be scored."""

    code = "unscorable"


class UndecodableError(UnscorableError):
    """No installed codec reads the pixels."""

    code = "undecodable"


class UnreadableError(UnscorableError):
    """The kept bytes can't be read; look at the spool's disk."""

    code = "unreadable"


class MissingCodecError(UnscorableError):
    """Video needs an extra: install sonogate[video]."""

    code = "missing_codec"


class EmptyPixelDataError(UnscorableError):
    """The object holds no pixels."""

    code = "empty_pixel_data"


class DeadlineError(UnscorableError):
    """Reading and scoring took longer than allowed."""

    code = "deadline"


class WorkerCrashError(UnscorableError):
    """The object crashed the scoring worker."""

    code = "worker_crash"


class WorkerKilledError(WorkerCrashError):
    """The scoring worker was killed from outside."""


class NotApplicableError(GateError):
    """The object is not one to be judged."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class LookupFailure(GateError):  # noqa: N818 - a branch, not a leaf; its leaves end in Error
    """What was asked for is not here."""


class UnknownInstanceError(LookupFailure):
    """No instance with this UID was received."""


class UnknownStudyError(LookupFailure):
    """No study with this UID was received."""


class UnknownDestinationError(LookupFailure):
    """No destination has this name; GET /v1/destinations lists them."""


class StudyStateError(LookupFailure):
    """The study's state does not allow this."""
