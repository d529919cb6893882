"""When an image was acquired, as an aware time in UTC."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

#: YYYYMMDD HHMMSS[.FFFFFF], as a DT value or a DA and a TM value put together.
MOMENT = re.compile(r"(\d{8})(\d{2})(\d{2})?(\d{2})?(?:\.(\d{1,6}))?\s*([+-]\d{4})?\s*$")
OFFSET = re.compile(r"([+-])(\d{2})(\d{2})$")


def acquired_at(dataset: Dataset) -> datetime | None:
    """Return Acquisition DateTime, else Acquisition Date and Time, else Content Date and Time.

    Times without an offset are read with Timezone Offset From UTC, else in this machine's zone:
    cart and gate stand in the same hospital.
    """
    zone = to_zone(_plain(dataset, "TimezoneOffsetFromUTC"))
    candidates = (
        _joined(dataset, "AcquisitionDateTime"),
        _joined(dataset, "AcquisitionDate", "AcquisitionTime"),
        _joined(dataset, "ContentDate", "ContentTime"),
    )
    for candidate in candidates:
        if (moment := to_moment(candidate, zone)) is not None:
            return moment
    return None


def _joined(dataset: Dataset, *keywords: str) -> str:
    values = [_plain(dataset, keyword) for keyword in keywords]
    if not all(values):
        return ""
    # Files of the ACR-NEMA age write 2001.02.03 and 10:11:12.
    date = values[0].replace(".", "") if len(values) > 1 else values[0]
    return date + "".join(value.replace(":", "") for value in values[1:])


def _plain(dataset: Dataset, keyword: str) -> str:
    """Return a value as text; a sequence, which a peer may call any element, has none."""
    value = dataset.get(keyword)
    return "" if isinstance(value, Sequence) else str(value or "").strip()


def to_zone(offset: str) -> tzinfo | None:
    """Read "+0130"; None if it is no offset."""
    match = OFFSET.match(offset)
    if match is None:
        return None
    sign = -1 if match[1] == "-" else 1
    return timezone(sign * timedelta(hours=int(match[2]), minutes=int(match[3])))


def to_moment(value: str, zone: tzinfo | None) -> datetime | None:
    """Read a DICOM date and time; None if it has no hour or makes no sense."""
    match = MOMENT.match(value)
    if match is None:
        return None
    day, hour, minute, second, fraction, offset = match.groups()
    digits = day + hour + (minute or "00") + (second or "00").replace("60", "59")
    try:
        naive = datetime.strptime(digits, "%Y%m%d%H%M%S")  # noqa: DTZ007 - made aware below
        naive = naive.replace(microsecond=int((fraction or "0").ljust(6, "0")))
        zone = to_zone(offset) if offset else zone
        return naive.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
