"""Build the HTTP app: routes, guards, the one error form, and the page."""

import asyncio
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.middleware import Middleware
from starlette.staticfiles import StaticFiles

from sonogate import __version__
from sonogate.api import (
    advice,
    destinations,
    dicomweb,
    events,
    findings,
    health,
    instances,
    objects,
    problems,
    rejections,
    results,
    stow,
    studies,
    verdicts,
    words,
)
from sonogate.api.auditing import Auditing
from sonogate.api.dependencies import ApiPorts
from sonogate.api.measuring import Measuring
from sonogate.api.security import Guard, SecureHeaders
from sonogate.settings import HttpSettings

WEB = Path(__file__).resolve().parents[1] / "web"

DESCRIPTION = """\
The ultrasound quality gate: every image judged while the patient is still on the table.

Every object, whether a cart sends it over DICOM or a program posts it here, ends with one verdict
of the same form. `status` says whether there is a quality: `graded` has a band and a number;
`not_applicable` and `unscorable` say why not and never count as good; `pending` is not judged yet.
Every error has the form `{error, message, remedy}`.
"""


def make_app(ports: ApiPorts, settings: HttpSettings) -> FastAPI:
    """Build the app over the given ports; it opens nothing itself.

    Set `ports.closing` before the server stops, so that the event streams end.
    """
    app = FastAPI(
        title="SonoGate",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # both would load their scripts from the internet
        redoc_url=None,
        middleware=[
            Middleware(Measuring, metrics=ports.metrics),
            Middleware(SecureHeaders),
            Middleware(Guard, settings=settings, note=ports.note),
            Middleware(Auditing, note=ports.note, has_token=settings.token is not None),
        ],
    )
    app.state.ports = ports
    app.state.settings = settings
    app.state.n_streams = 0
    app.state.upload_places = asyncio.Semaphore(verdicts.MAX_UPLOADS)
    problems.install(app)
    for room in (
        verdicts,
        findings,
        instances,
        advice,
        objects,
        studies,
        results,
        rejections,
        destinations,
        events,
        health,
        stow,
        dicomweb,
    ):
        app.include_router(room.router)
    _serve_page(app)
    return app


def _serve_page(app: FastAPI) -> None:
    """Serve the bedside page; it holds no data itself, so it needs no token."""

    @app.get("/", include_in_schema=False)
    async def read_page() -> FileResponse:
        return FileResponse(WEB / "index.html", media_type="text/html; charset=utf-8")

    app.include_router(words.router)
    app.mount("/web", StaticFiles(directory=WEB), name="web")
