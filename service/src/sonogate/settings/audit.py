"""The knobs of the audit trail."""

from typing import Annotated

from pydantic import Field

from sonogate.settings.kinds import Section


class AuditSettings(Section):
    """Who sent, read, decided and changed settings."""

    window_seconds: Annotated[float, Field(ge=1, le=3600)] = 300.0
    """One entry per reader and study, per sender and study, and per refused peer in so much time,
    however often they come: a page left open would fill the trail. DICOM asks for no more."""
    retention_days: Annotated[float, Field(ge=366)] = 3650.0
    """Entries go after this time: ten years, as long as pictures are kept in many places. Within a
    year the database itself refuses to let go of one."""
