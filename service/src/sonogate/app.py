"""Composition root: settings in, running gate out; what starts first, and what ends last."""

import asyncio
import fcntl
import shutil
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sonogate import __version__
from sonogate.api.server import serving_http
from sonogate.domain.job import Greeting
from sonogate.errors import GateError
from sonogate.gate import Gate, make_api_ports, make_housekeeping
from sonogate.observe.logs import get_logger
from sonogate.outgoing import prepare_outgoing
from sonogate.receive.keeping import Aftercare
from sonogate.receive.spool.folder import seal_all
from sonogate.settings import Settings
from sonogate.tuning import make_ready_for_carts

log = get_logger()


@asynccontextmanager
async def running_gate(settings: Settings) -> AsyncIterator[Gate]:
    """Run a gate for the time of the block; everything it started has ended afterwards.

    Raises:
        GateError: it could not start; the message names the remedy.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    make_ready_for_carts()
    gate = Gate(settings)
    gate.metrics.build_info.labels(__version__).set(1)
    async with AsyncExitStack() as stack:
        stack.enter_context(locked(settings.data_dir))
        await gate.database.open()
        stack.push_async_callback(gate.database.close)
        await gate.trail.started()
        stack.push_async_callback(gate.trail.stopped)
        await stack.enter_async_context(background(gate.trail.run()))
        await stack.enter_async_context(background(gate.audit_sender.run()))
        stack.push_async_callback(gate.pool.stop)
        greeting = await gate.pool.start()
        tell_shortcomings(greeting)
        gate.pipeline = gate.make_pipeline(greeting)
        await gate.look_at_calibrations()
        gate.registrar.on_entered = Aftercare(gate.spool, gate.metrics, gate.entered, gate.settled)
        await recover(gate)
        await gate.spool.open()
        stack.push_async_callback(gate.spool.close)
        await stack.enter_async_context(background(gate.registrar.run()))
        await stack.enter_async_context(background(gate.pipeline.run()))
        await stack.enter_async_context(background(gate.delivery.run()))
        await stack.enter_async_context(background(gate.forwarder.run()))
        await stack.enter_async_context(background(gate.results.run()))
        if gate.adviser is not None:
            await stack.enter_async_context(background(gate.adviser.run()))
        await stack.enter_async_context(background(gate.networking.run()))
        await stack.enter_async_context(background(make_housekeeping(gate).run()))
        serving = serving_http(make_api_ports(gate), settings.http, gate.http_certificates)
        gate.http_port = await stack.enter_async_context(serving)
        await start_listener(gate)
        stack.push_async_callback(gate.listener.stop)
        log.info(
            "gate started",
            port=gate.dicom_port,
            model=greeting.model.name,
            provider=greeting.model.provider,
        )
        yield gate


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold a data folder for one gate: a second would take the first one's files for left-overs.

    Raises:
        GateError: another gate has it.
    """
    with (data_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise GateError(
                f"another gate works in {data_dir}; stop it, or set another data_dir"
            ) from error
        yield


def tell_shortcomings(greeting: Greeting) -> None:
    """Log what the workers could not have: a better provider, a step of their confinement."""
    for reason in greeting.rungs_failed:
        log.info("provider not loaded", reason=reason)
    for reason in greeting.unconfined:
        log.warning("worker not fully confined", reason=reason)


async def recover(gate: Gate) -> None:
    """Take over what an earlier gate left: its claims, objects that it kept but did not enter.

    Then files of which no row speaks go: nobody waits for them, or their time is over.
    """
    owner = gate.pipeline.owner
    await gate.database.write(lambda tx: tx.objects.release_all_of_other_owners(owner))
    await asyncio.to_thread(gate.spool.prepare)
    await asyncio.to_thread(prepare_outgoing, gate.settings)
    newest = await gate.database.read(lambda tx: tx.objects.newest_received_at())
    unsettled = await asyncio.to_thread(gate.spool.unsettled, newest)
    await gate.registrar.recover([each for kept in unsettled.values() for each in kept])
    await asyncio.to_thread(seal_all, unsettled)
    live = await gate.database.read(lambda tx: tx.spooled_bytes.spool_names())
    await asyncio.to_thread(gate.spool.sweep, live)
    await gate.results.recover()
    await asyncio.to_thread(shutil.rmtree, gate.upload_dir, ignore_errors=True)
    gate.upload_dir.mkdir()


async def start_listener(gate: Gate) -> None:
    """Open the DICOM port.

    Raises:
        GateError: the port is taken, or the address is not ours.
    """
    listener = gate.settings.listener
    try:
        await gate.listener.start()
    except OSError as error:
        raise GateError(
            f"DICOM port {listener.port} on {listener.host}: {error.strerror}; stop what holds it "
            "or set listener.port (0 picks a free one)"
        ) from error
    gate.dicom_port = gate.listener.port


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a loop beside the block and cancel it afterwards."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
