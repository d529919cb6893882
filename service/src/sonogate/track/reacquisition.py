"""Which earlier lows a good image clears, which it asks about, and which frames are caliper twins.

Clearing needs an equal view (empty never matches empty) that the pictures do not contradict, or a
similarity above a tested threshold (both in `docs/results/reacquisition.md`), and on both sides the
same laterality and modifiers, or none: a right kidney looks much like the left one, under the same
view code, and a cart that keeps the annotation of the last image writes a wrong one. Anything less
is asked, never assumed: a low that is cleared by mistake leaves the patient with a bad image, a
question costs one tap.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from sonogate.domain.verdict import Band
from sonogate.store.records import Answer, Candidate, Link, LinkKind
from sonogate.store.transaction import Transaction
from sonogate.track.similarity import is_twin, similarities

CLEAR_FROM = 0.65
"""Similarity from which a later good image clears an earlier low by itself."""
UNLIKE_BELOW = 0.41
"""Similarity below which two pictures contradict the equal view that was written on them."""
ASK_FROM = 0.4
"""Similarity from which it is asked about even if another question about the low is open."""
STRONGER_BY = 0.1
"""A weak question gives way only to one clearly stronger, so that the page stays calm."""
LOOK_BACK = 20
"""Newest candidates compared; a re-acquisition follows soon."""

_NON_LOW = (Band.HIGH, Band.MEDIUM)
_GRADED = (Band.HIGH, Band.MEDIUM, Band.LOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """What one object meant for others of its study."""

    cleared: tuple[str, ...] = ()  #: how each low was cleared: "view" | "similarity"
    questions: tuple[Link, ...] = ()  #: asked or withdrawn


def relate(tx: Transaction, study_uid: str, object_id: str, now: datetime) -> Relations:
    """Link a newly judged or newly overridden object with the others of its study."""
    found = tx.studies.candidate(object_id)
    if found is None or _is_twin_of_another(tx, study_uid, found, now):
        return Relations()
    cleared: list[str] = []
    asking: list[tuple[Candidate, Candidate, float]] = []
    for newer, older, alike in _pairs(tx, study_uid, found):
        how = clears(newer, older, alike)
        if how is None:
            asking.append((newer, older, alike or 0.0))
        elif tx.links.add(
            replace(_supersedes(study_uid, newer, older, how), similarity=alike, decided_at=now)
        ):
            cleared.append(how)
    questions = _ask(tx, study_uid, asking, now)
    return Relations(cleared=tuple(cleared), questions=tuple(questions))


def clears(newer: Candidate, older: Candidate, alike: float | None) -> str | None:
    """Return how a good image clears an earlier low, or None if it does not by itself.

    Two views, sides or modifiers that are both named and differ contradict the pictures, and
    pictures that are unlike contradict two equal views: then a person decides. So too where only
    one image tells its side. Where nothing can be compared, as with a low that shows nothing, the
    view stands alone.
    """
    if _side(newer) != _side(older):
        return None
    if newer.view and older.view:
        is_unlike = alike is not None and alike < UNLIKE_BELOW
        is_equal = newer.view.casefold() == older.view.casefold()
        return "view" if is_equal and not is_unlike else None
    return "similarity" if alike is not None and alike >= CLEAR_FROM else None


def is_later(newer: Candidate, older: Candidate) -> bool:
    """Whether one image was made after another: by acquisition if known, else by receipt."""
    if newer.acquired_at and older.acquired_at and newer.acquired_at != older.acquired_at:
        return newer.acquired_at > older.acquired_at
    return (newer.received_at, newer.object_id) > (older.received_at, older.object_id)


def ask_again(tx: Transaction, study_uid: str, older_id: str, now: datetime) -> list[Link]:
    """After a "no": ask about the best later image that was not yet asked about."""
    older = tx.studies.candidate(older_id)
    if older is None:
        return []
    asked = {link.object_id for link in tx.links.questions_of(older=older_id)}
    later = [
        newer
        for newer in tx.studies.graded(study_uid, _NON_LOW, LOOK_BACK)
        if newer.object_id not in asked and is_later(newer, older)
    ]
    alike = similarities(older.fingerprint, [newer.fingerprint for newer in later])
    pairs = [(newer, older, each or 0.0) for newer, each in zip(later, alike, strict=True)]
    return _ask(tx, study_uid, pairs, now)


def _pairs(
    tx: Transaction, study_uid: str, found: Candidate
) -> list[tuple[Candidate, Candidate, float | None]]:
    """Return (later good image, earlier low, similarity) of `found` and others, newest first."""
    if found.effective_band is Band.LOW:
        good = tx.studies.graded(study_uid, _NON_LOW, LOOK_BACK)
        pairs = [(other, found) for other in good if is_later(other, found)]
    else:
        lows = tx.studies.lows_to_clear(study_uid, LOOK_BACK)
        pairs = [(found, low) for low in lows if is_later(found, low)]
    others = [older if newer is found else newer for newer, older in pairs]
    alike = similarities(found.fingerprint, [other.fingerprint for other in others])
    return [(newer, older, each) for (newer, older), each in zip(pairs, alike, strict=True)]


def _is_twin_of_another(tx: Transaction, study_uid: str, found: Candidate, now: datetime) -> bool:
    """Link caliper twins; return whether `found` is the one with the calipers."""
    for other in tx.studies.graded(study_uid, _GRADED, LOOK_BACK):
        if other.has_calipers == found.has_calipers or not is_twin(
            found.fingerprint, other.fingerprint
        ):
            continue
        marked, clean = (found, other) if found.has_calipers else (other, found)
        tx.links.add(
            Link(
                kind=LinkKind.TWIN,
                object_id=marked.object_id,
                other_id=clean.object_id,
                study_instance_uid=study_uid,
                decided_by="calipers",
                decided_at=now,
            )
        )
        if marked is found:
            return True
    return False


def _ask(
    tx: Transaction,
    study_uid: str,
    asking: list[tuple[Candidate, Candidate, float]],
    now: datetime,
) -> list[Link]:
    """Ask about the best pair: one per newer image, and a weak one only if none is open."""
    open_now = tx.links.open_questions(study_uid) if asking else []
    for newer, older, alike in sorted(asking, key=lambda pair: pair[2], reverse=True):
        if any(link.object_id == newer.object_id for link in open_now):
            continue
        rivals = [link for link in open_now if link.other_id == older.object_id]
        if alike < ASK_FROM and (_contradict(newer, older) or _is_beaten(alike, rivals)):
            continue
        question = Link(
            kind=LinkKind.QUESTION,
            object_id=newer.object_id,
            other_id=older.object_id,
            study_instance_uid=study_uid,
            similarity=alike,
        )
        if tx.links.add(question):
            return [*_withdraw(tx, rivals, alike, now), question]
    return []


def _side(candidate: Candidate) -> tuple[str | None, str | None]:
    return candidate.laterality, candidate.view_modifiers


def _contradict(newer: Candidate, older: Candidate) -> bool:
    """Whether both images name a view, a side or modifiers, and not the same."""
    mine = ((newer.view or "").casefold(), *_side(newer))
    theirs = ((older.view or "").casefold(), *_side(older))
    return any(one and other and one != other for one, other in zip(mine, theirs, strict=True))


def _is_beaten(alike: float, rivals: list[Link]) -> bool:
    return any((link.similarity or 0.0) > alike - STRONGER_BY for link in rivals)


def _withdraw(tx: Transaction, rivals: list[Link], alike: float, now: datetime) -> list[Link]:
    """Take back weaker questions about the same low."""
    withdrawn = []
    for link in rivals:
        weaker = (link.similarity or 0.0) < min(alike, ASK_FROM)
        if weaker and tx.links.answer(
            link.object_id, link.other_id, Answer.WITHDRAWN, by=None, at=now
        ):
            withdrawn.append(replace(link, answer=Answer.WITHDRAWN))
    return withdrawn


def _supersedes(study_uid: str, newer: Candidate, older: Candidate, how: str) -> Link:
    return Link(
        kind=LinkKind.SUPERSEDES,
        object_id=newer.object_id,
        other_id=older.object_id,
        study_instance_uid=study_uid,
        decided_by=how,
    )
