"""One transaction, as typed repositories; no SQLAlchemy type leaves them."""

from functools import cached_property

from sqlalchemy import Connection

from sonogate.store.advices import Advices
from sonogate.store.audit import Audit
from sonogate.store.audit_positions import AuditPositions
from sonogate.store.calibrations import Calibrations
from sonogate.store.commitments import Commitments
from sonogate.store.deliveries import Deliveries
from sonogate.store.events import Events
from sonogate.store.forward_holds import ForwardHolds
from sonogate.store.forward_queues import ForwardQueues
from sonogate.store.forwards import Forwards
from sonogate.store.links import Links
from sonogate.store.objects import Objects
from sonogate.store.overrides import Overrides
from sonogate.store.pictures import Pictures
from sonogate.store.rejections import Rejections
from sonogate.store.results import Results
from sonogate.store.senders import Senders
from sonogate.store.spooled_bytes import SpooledBytes
from sonogate.store.step_messages import StepMessages
from sonogate.store.steps import ProcedureSteps
from sonogate.store.studies import StudyRows
from sonogate.store.timers import Timers
from sonogate.store.unentered import Unentered
from sonogate.store.verdicts import Verdicts


class Transaction:
    """What a piece of work may read and write; ended by the database, never by the work."""

    def __init__(self, connection: Connection, unentered: Unentered) -> None:
        self._connection = connection
        self._unentered = unentered

    @cached_property
    def objects(self) -> Objects:
        """Received objects and their claims."""
        return Objects(self._connection)

    @cached_property
    def spooled_bytes(self) -> SpooledBytes:
        """Whose bytes the spool must keep."""
        return SpooledBytes(self._connection)

    @cached_property
    def verdicts(self) -> Verdicts:
        """One verdict per object."""
        return Verdicts(self._connection)

    @cached_property
    def advices(self) -> Advices:
        """What an adviser said beside verdicts."""
        return Advices(self._connection)

    @cached_property
    def pictures(self) -> Pictures:
        """Thumbnails, heat maps, fingerprints."""
        return Pictures(self._connection)

    @cached_property
    def studies(self) -> StudyRows:
        """Studies and their counts."""
        return StudyRows(self._connection, self._unentered)

    @cached_property
    def links(self) -> Links:
        """Re-acquisitions, caliper twins and questions."""
        return Links(self._connection)

    @cached_property
    def overrides(self) -> Overrides:
        """People's words over the machine's."""
        return Overrides(self._connection)

    @cached_property
    def events(self) -> Events:
        """What readers are told; deliveries are written with them."""
        return Events(self._connection)

    @cached_property
    def deliveries(self) -> Deliveries:
        """What is owed to receivers outside."""
        return Deliveries(self._connection)

    @cached_property
    def audit(self) -> Audit:
        """Who did what; only ever added to."""
        return Audit(self._connection)

    @cached_property
    def audit_positions(self) -> AuditPositions:
        """How far the trail has been sent."""
        return AuditPositions(self._connection)

    @cached_property
    def calibrations(self) -> Calibrations:
        """What quality means here, as people said."""
        return Calibrations(self._connection)

    @cached_property
    def senders(self) -> Senders:
        """How each sender sends."""
        return Senders(self._connection)

    @cached_property
    def forwards(self) -> Forwards:
        """What is owed to archives, and where each item stands."""
        return Forwards(self._connection)

    @cached_property
    def forward_holds(self) -> ForwardHolds:
        """What is held until it is decided."""
        return ForwardHolds(self._connection)

    @cached_property
    def forward_queues(self) -> ForwardQueues:
        """How each destination does as a whole."""
        return ForwardQueues(self._connection)

    @cached_property
    def results(self) -> Results:
        """What was made for a PACS, and what is asked for."""
        return Results(self._connection)

    @cached_property
    def rejections(self) -> Rejections:
        """What people rejected, and what an archive is to be told of it."""
        return Rejections(self._connection)

    @cached_property
    def steps(self) -> ProcedureSteps:
        """What carts say of their exams."""
        return ProcedureSteps(self._connection)

    @cached_property
    def step_messages(self) -> StepMessages:
        """What the site's own MPPS servers are owed."""
        return StepMessages(self._connection)

    @cached_property
    def timers(self) -> Timers:
        """Times to come, wherever they are."""
        return Timers(self._connection)

    @cached_property
    def commitments(self) -> Commitments:
        """Who asked whether objects are kept for good."""
        return Commitments(self._connection)
