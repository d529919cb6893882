"""A gate, a Prometheus that scrapes it, a receiver that fails now and then, and a day with them."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pydicom.uid import generate_uid

from sonogate.testing import Gate
from tests.integration.known_day import (
    Cart,
    Day,
    Doors,
    Sent,
    black,
    broken,
    cine,
    judge,
    part10,
    phantom,
    picture,
    report,
    still,
    taken,
)
from tests.integration.prometheus_server import Prometheus
from tests.service.act.conftest import Receiver
from tests.service.receive.door import eventually

GAUGE_SECONDS = 2.5
"""How old a gauge may be on a busy machine: it is set every second."""
DISK_SECONDS = 0.06
"""What a sync takes at least, so that every quantile has a floor."""
HOLD_SECONDS = 1.2
"""How long a worker is held before it is killed."""
ROOM1, ROOM2, ROOM3, AHEAD = "ROOM1", "ROOM2", "ROOM3", "AHEAD"
READ_STUDY = "/v1/studies/{study_uid}"


@dataclass
class Ear:
    """Answers as a receiver does that is ill at first, or down."""

    attempts: list[tuple[float, bool]] = field(default_factory=list)  #: POSIX time, delivered
    n_to_fail: int = 0
    is_down: bool = False

    def __call__(self, _n: int, _event: dict[str, Any]) -> int:
        """Answer one attempt."""
        fails = self.is_down or self.n_to_fail > 0
        self.n_to_fail -= fails
        self.attempts.append((time.time(), not fails))
        return 503 if fails else 200


@dataclass
class Ward:
    """All of it, on loopback."""

    gate: Gate
    prometheus: Prometheus
    receiver: Receiver
    ear: Ear
    http: httpx.AsyncClient
    days: list[Day] = field(default_factory=list)

    def cart(self, ae: str, slow_seconds: float = DISK_SECONDS) -> Cart:
        """A scanner of today."""
        return Cart(ae, self.gate.dicom_port, self.days[-1], slow_seconds)

    async def push(self, cart: Cart, *objects: Any, result: str = "kept") -> list[Sent]:
        """Push without holding up the gate, which shares our loop."""
        return await asyncio.to_thread(cart.push, *objects, result=result)

    async def live(self, *, with_deadline: bool = False) -> Day:
        """Push a day's work, each kind of it; return once all of it has come to its end."""
        self.days.append(Day())
        day, self.ear.n_to_fail = self.days[-1], 1
        doors = Doors(self.http, day)
        await self._first_room(doors)
        await self._second_room(doors)
        await self._by_rest(doors)
        await asyncio.to_thread(self._associations)
        await self._lose_a_worker(doors)
        await self._until_all_is_closed(doors)
        if with_deadline:
            await self._pass_a_deadline(doors)
        return day

    async def _first_room(self, doors: Doors) -> None:
        """Stills and loops; one object twice, one UID with other bytes; an overruled verdict."""
        study, cart = generate_uid(), self.cart(ROOM1)
        stills = [still("OB", study=study, seed=n) for n in range(3)]
        black(stills[1])
        loops = [cine(still("OB", study=study, seed=n)) for n in (3, 4)]
        black(loops[1])
        sent = await self.push(cart, *stills, *loops)
        await judge(doors, sent)
        await self.push(cart, stills[0], result="duplicate")
        other = still("OB", study=study, seed=5)
        other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = stills[0].SOPInstanceUID
        late = await self.push(self.cart(ROOM1, 0.3), other, result="conflict")
        await judge(doors, late)
        await self._overrule(doors, sent[2])

    async def _overrule(self, doors: Doors, sent: Sent) -> None:
        to = "medium" if sent.judged["band"] == "low" else "low"
        wish = {"json": {"band": to, "reason": "seen by a person", "by": "RN"}}
        route = "/v1/instances/{sop_instance_uid}/override"
        answer = await doors.call("POST", route, more=wish, sop_instance_uid=str(sent.uid))
        assert answer.status_code == 200, answer.text
        doors.day.overrides[sent.judged["band"], to] += 1

    async def _second_room(self, doors: Doors) -> None:
        """Lows taken again: by view, by likeness, by a person's word. Then what can't be judged."""
        cart = self.cart(ROOM2)
        for how, view, second in (
            ("view", "KIDNEY", "kidney"),
            ("similarity", None, "kidney"),
            ("person", None, "liver"),
        ):
            study = generate_uid()
            low, good = (still("ABDOMEN", study=study, view=view) for _ in range(2))
            phantom(low, "kidney", is_bad=True)
            phantom(good, second)
            taken(low, datetime.now(UTC) - timedelta(seconds=120), "ABDOMEN")
            sent = await self.push(cart, low, good)
            await judge(doors, sent)
            assert sent[0].judged["band"] == "low" != sent[1].judged["band"]
            if how == "person":
                await self._answer(doors, study)
            await judge_again(doors, sent[1], str(low.SOPInstanceUID))
            doors.day.cleared[how] += 1
        await self._unjudged(doors, cart)

    async def _answer(self, doors: Doors, study: str) -> None:
        said = {"json": {"older": 1, "replaces": True, "by": "RN"}}
        route = "/v1/studies/{study_uid}/questions/{newer}"
        answer = await doors.call("POST", route, more=said, study_uid=study, newer="2")
        assert answer.status_code == 200, answer.text

    async def _unjudged(self, doors: Doors, cart: Cart) -> None:
        """A report, broken images, one too large; one study is closed by hand, unready."""
        study = generate_uid()
        large = still("ABDOMEN", study=study)
        large.PixelData = bytes(6 * len(large.PixelData))
        await self.push(cart, large, result="refused")
        slow = self.cart(ROOM2, 0.8)
        sent = await self.push(slow, report(still("ABDOMEN", study=study)))
        for each in (study, generate_uid()):  # the second one closes by itself
            sent += await self.push(cart, broken(still("", study=each)))
        await judge(doors, sent)
        await self._close(doors, study)

    async def _close(self, doors: Doors, study: str) -> None:
        answer = await doors.call("POST", READ_STUDY + "/close", study_uid=study)
        assert answer.json()["status"] == "closed"
        doors.day.closed_by_hand.add(study)

    async def _by_rest(self, doors: Doors) -> None:
        """An object and a picture by POST, questions to the gate, and one it can't answer."""
        study = generate_uid()
        ds = still("OB", study=study, seed=8)
        for body, content, ae_exam, uid in (
            (part10(ds), "application/dicom", "OB", str(ds.SOPInstanceUID)),
            (picture(len(self.days)), "image/png", "none", None),
        ):
            await self.post(doors, body, content, ae_exam, uid)
        await self._close(doors, study)
        assert (await doors.call("GET", "/health/live")).status_code == 200
        route = "/v1/instances/{sop_instance_uid}/thumbnail.png"
        for uid, status in ((ds.SOPInstanceUID, 200), ("1.2.3.4", 404)):
            assert status == (await doors.call("GET", route, sop_instance_uid=uid)).status_code
        assert (await doors.call("GET", "/v1/senders")).status_code == 200
        ahead = still("OB", study=generate_uid(), seed=9)
        taken(ahead, datetime.now(UTC) + timedelta(hours=1), "OB")
        await judge(doors, await self.push(self.cart(AHEAD), ahead))

    async def post(
        self, doors: Doors, body: bytes, content: str, exam: str, uid: str | None = None
    ) -> None:
        """POST one object and note its verdict."""
        before = datetime.now(UTC)
        more = {"content": body, "headers": {"Content-Type": content}}
        answer = await doors.call("POST", "/v1/verdicts", more=more)
        assert answer.status_code == 200, answer.text
        seen_at = datetime.now(UTC)
        doors.day.sent.append(
            Sent(
                ae="REST", exam=exam, n_bytes=len(body), before=before, after=seen_at,
                result="kept", least_keep_seconds=0.0, uid=uid, verdict=answer.json(),
                seen_at=seen_at,
            )
        )  # fmt: skip

    def _associations(self) -> None:
        """One is rejected, one aborted, one lost."""
        cart, ended = self.cart(ROOM1), self.days[-1].ended
        assert not cart.associate("ANOTHER").is_established
        ended["rejected"] += 1
        cart.associate().abort()
        ended["aborted"] += 1
        lost = cart.associate()
        assert lost.is_established
        lost.dul.socket.close()
        ended["lost"] += 1

    async def _lose_a_worker(self, doors: Doors) -> None:
        """A loop's worker is held, then killed; another one judges the loop."""
        loop = cine(still("ABDOMEN", study=generate_uid(), seed=6))
        (pid,) = self.gate.pool.process_ids
        os.kill(pid, signal.SIGSTOP)
        sent = await self.push(self.cart(ROOM3), loop)
        await asyncio.sleep(HOLD_SECONDS)
        os.kill(pid, signal.SIGKILL)
        await judge(doors, sent)
        sent[0].least_seconds = HOLD_SECONDS
        doors.day.workers_lost["crash"] += 1

    async def _pass_a_deadline(self, doors: Doors) -> None:
        """A still's worker is held until its time is over."""
        ds = still("", study=generate_uid(), seed=7)
        with self.held_worker():
            sent = await self.push(self.cart(ROOM2), ds)
            await judge(doors, sent)
        sent[0].least_seconds = self.gate.settings.scoring.deadline_seconds
        doors.day.workers_lost["deadline"] += 1

    @contextmanager
    def held_worker(self) -> Iterator[None]:
        """Hold the worker for the time of the block."""
        (pid,) = self.gate.pool.process_ids
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            if pid in self.gate.pool.process_ids:
                os.kill(pid, signal.SIGCONT)

    async def _until_all_is_closed(self, doors: Doors) -> None:
        """Wait for the quiet time of each study, and for the receiver to have heard of it."""
        day = doors.day
        uids = {each.judged["study_instance_uid"] for each in day.kept} - {None}
        async with asyncio.timeout(120):
            for uid in sorted(uids):
                while (study := await self._study(doors, uid))["status"] != "closed":  # noqa: ASYNC110 - asked by REST
                    await asyncio.sleep(0.3)
                day.studies[uid] = study
        await eventually(lambda: self._heard() >= len(day.studies) + len(day.kept), seconds=120)

    def _heard(self) -> int:
        """Verdicts of today and closed studies that the receiver has."""
        since = self.days[-1].sent[0].before.isoformat()
        return sum(
            event["at"] >= since
            and (event["kind"] == "verdict" or event["body"].get("status") == "closed")
            for event in self.receiver.effects.values()
        )

    async def _study(self, doors: Doors, uid: str) -> dict[str, Any]:
        found: dict[str, Any] = (await doors.call("GET", READ_STUDY, study_uid=uid)).json()
        return found

    async def scraped(self) -> float:
        """Return the time of a scrape that sees everything until now, gauges too."""
        await asyncio.sleep(GAUGE_SECONDS)
        start = time.time()
        while (at := await asyncio.to_thread(self._last_scrape)) < start:  # noqa: ASYNC110 - Prometheus has no events
            await asyncio.sleep(0.1)
        return at

    def _last_scrape(self) -> float:
        return float(self.prometheus.ask("timestamp(up)")[0]["value"][1])


async def judge_again(doors: Doors, good: Sent, low_uid: str) -> None:
    """Read what a good image replaces, now that all is said."""
    route = "/v1/instances/{sop_instance_uid}"
    answer = await doors.call("GET", route, sop_instance_uid=str(good.uid))
    assert low_uid == answer.json()["supersedes"]
