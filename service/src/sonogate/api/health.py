"""Health for orchestrators, metrics for Prometheus."""

from fastapi import APIRouter, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from sonogate import __version__
from sonogate.api.dependencies import PortsDep
from sonogate.api.schemas import CheckBody, LiveBody, ReadinessBody

router = APIRouter(tags=["health"])


@router.get("/health/live", summary="Does the process answer?")
async def read_live() -> LiveBody:
    """Answer 200 as long as the process serves requests; needs no token."""
    return LiveBody()


@router.get(
    "/health/ready",
    summary="Can it receive and judge?",
    responses={503: {"model": ReadinessBody, "description": "Not now; the checks say why."}},
)
async def read_ready(ports: PortsDep, response: Response) -> ReadinessBody:
    """Answer 200 if objects can be kept and judged, else 503 with the reason in plain words."""
    readiness = await ports.readiness()
    if not readiness.ready:
        response.status_code = 503
    return ReadinessBody(
        status="ready" if readiness.ready else "not_ready",
        version=__version__,
        started_at=ports.started_at,
        checks={
            name: CheckBody(ok=check.ok, detail=check.detail, required=check.required)
            for name, check in readiness.checks.items()
        },
    )


@router.get("/metrics", summary="Metrics in Prometheus text form", response_class=Response)
async def read_metrics(ports: PortsDep) -> Response:
    """Return every metric of this gate."""
    return Response(generate_latest(ports.metrics.registry), media_type=CONTENT_TYPE_LATEST)
