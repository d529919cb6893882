"""A destination that takes C-STORE: one association for each batch, contexts made to measure."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sonogate.act.forward import outcome
from sonogate.act.forward.association import Association, Peer, associated
from sonogate.act.forward.carrier import Decode, Settle
from sonogate.act.forward.outcome import DestinationError, Fate, Outcome
from sonogate.act.forward.parcel import Parcel
from sonogate.act.forward.pdus import MAX_CONTEXTS, Proposal
from sonogate.act.forward.syntaxes import LOSSLESS, PLAIN
from sonogate.domain.instance import Span
from sonogate.errors import SettingFileError, UndecodableError

_ACCEPTED: Final = 0
_REFUSALS: Final = {3: outcome.SOP_CLASS, 4: outcome.TRANSFER_SYNTAX}  # PS3.8 Table 9-18
Kind = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomCarrier:
    """Sends objects to a storage SCP."""

    peer: Peer
    own_ae: str
    calls_as_sender: bool  #: `calling_ae = "original"`
    may_decode: bool
    make_tls: Callable[[], ssl.SSLContext | None]  #: reads the files, so that new ones count
    decode: Decode

    async def carry(
        self, parcels: Sequence[Parcel], on_start: Callable[[Parcel], None], settle: Settle
    ) -> None:
        """Send objects over one association; over more only if they need over 128 contexts."""
        own = self.own_ae
        calling_ae = (parcels[0].calling_ae or own) if self.calls_as_sender else own
        for part in batches(parcels):
            proposals = self.proposals(part)
            async with associated(self.peer, proposals, calling_ae, self._tls()) as association:
                for parcel in part:
                    on_start(parcel)
                    out = await self._store(association, proposals, parcel)
                    settle(parcel, out)
                    if out.fate is Fate.BUSY:
                        return

    def proposals(self, parcels: Sequence[Parcel]) -> list[Proposal]:
        """Return a context for each kind to be sent, and one of plain samples to fall back on."""
        kinds = dict.fromkeys(_kind(parcel) for parcel in parcels)
        plain = dict.fromkeys(uid for uid, syntax in kinds if self._is_decodable(syntax))
        return [Proposal(uid, (syntax,)) for uid, syntax in kinds] + [
            Proposal(uid, PLAIN) for uid in plain
        ]

    def _is_decodable(self, syntax: str) -> bool:
        return self.may_decode and syntax in LOSSLESS

    def _tls(self) -> ssl.SSLContext | None:
        try:
            return self.make_tls()
        except SettingFileError as error:
            raise DestinationError("certificate") from error

    async def _store(
        self, association: Association, proposals: Sequence[Proposal], parcel: Parcel
    ) -> Outcome:
        agreed = dict(zip(proposals, association.acceptance.contexts, strict=True))
        wanted = agreed[Proposal(parcel.sop_class_uid, (parcel.transfer_syntax_uid,))]
        if wanted.result == _ACCEPTED:
            return await _send(association, wanted.context_id, parcel)
        plain = agreed.get(Proposal(parcel.sop_class_uid, PLAIN))
        if (
            plain is not None
            and plain.result == _ACCEPTED
            and self._is_decodable(parcel.transfer_syntax_uid)
        ):
            return await self._send_decoded(association, plain.context_id, parcel, plain.syntax)
        return _REFUSALS.get(wanted.result, outcome.CONTEXT)

    async def _send_decoded(
        self, association: Association, context_id: int, parcel: Parcel, syntax: str
    ) -> Outcome:
        try:
            path = await self.decode(parcel, syntax)
        except UndecodableError:
            return outcome.NOT_DECODED
        try:
            whole = Span(offset=0, size_bytes=path.stat().st_size)
            return await _send(association, context_id, replace(parcel, path=path, span=whole))
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)


async def _send(association: Association, context_id: int, parcel: Parcel) -> Outcome:
    try:
        data_set = await asyncio.to_thread(parcel.data_set)
    except (OSError, ValueError) as error:
        return outcome.of_own_bytes(error)
    try:
        return outcome.of_dimse(await association.store(context_id, parcel, data_set))
    except OSError as error:  # half sent: the association is of no more use
        raise DestinationError("own_disk") from error


def _kind(parcel: Parcel) -> Kind:
    return parcel.sop_class_uid, parcel.transfer_syntax_uid


def batches(parcels: Sequence[Parcel]) -> Iterator[list[Parcel]]:
    """Cut a batch so that no part needs more contexts than an association has."""
    part: list[Parcel] = []
    kinds: set[Kind] = set()
    for parcel in parcels:
        if _kind(parcel) not in kinds and 2 * (len(kinds) + 1) > MAX_CONTEXTS:
            yield part
            part, kinds = [], set()
        part.append(parcel)
        kinds.add(_kind(parcel))
    if part:
        yield part
