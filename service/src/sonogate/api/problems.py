"""Every error in one form: a code, what is wrong, what to do.

The table maps the gate's errors to HTTP. Nothing of the request is echoed, so no patient text comes
back.
"""

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sonogate.api.schemas import ErrorBody
from sonogate.errors import (
    GateError,
    LookupFailure,
    MalformedObjectError,
    ObjectTooLargeError,
    ReceiveError,
    SpoolFullError,
    SpoolWriteError,
    StudyStateError,
    UnknownDestinationError,
    UnknownInstanceError,
    UnknownStudyError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one kind of error is answered."""

    status: int
    code: str
    remedy: str
    retry_after_seconds: int | None = None


ANSWERS: Mapping[type[GateError], Answer] = {
    UnknownInstanceError: Answer(
        status=404, code="unknown_instance", remedy="Check the UID; was it sent to this gate?"
    ),
    UnknownStudyError: Answer(
        status=404, code="unknown_study", remedy="Check the UID, or list them: GET /v1/studies."
    ),
    UnknownDestinationError: Answer(
        status=404, code="unknown_destination", remedy="List them: GET /v1/destinations."
    ),
    StudyStateError: Answer(
        status=409,
        code="not_in_this_state",
        remedy="Read the study again (GET /v1/studies/{uid}) and decide anew.",
    ),
    ObjectTooLargeError: Answer(
        status=413, code="too_large", remedy="Send it over DICOM, or raise http.max_body_bytes."
    ),
    MalformedObjectError: Answer(
        status=422,
        code="malformed_object",
        remedy="Send one whole DICOM Part 10 file, PNG, JPEG or WebP image as the raw body.",
    ),
    SpoolFullError: Answer(
        status=503,
        code="spool_full",
        remedy="Free disk space or wait for the backlog, then send again.",
        retry_after_seconds=30,
    ),
    SpoolWriteError: Answer(
        status=503,
        code="spool_write",
        remedy="Check the spool's disk (sonogate doctor), then send again.",
        retry_after_seconds=30,
    ),
}
"""Every leaf of ReceiveError and LookupFailure; the nearest class in its ancestry answers."""

DISK_ERRORS: Mapping[int | None, type[ReceiveError]] = {
    errno.ENOSPC: SpoolFullError,
    errno.EDQUOT: SpoolFullError,
    errno.EIO: SpoolWriteError,
    errno.EROFS: SpoolWriteError,
}
"""A large body rests on the disk before the spool has it; what that disk says, in our words."""

ROUTING: Mapping[int, tuple[str, str]] = {
    404: ("not_found", "The routes are listed in /openapi.json."),
    405: ("method_not_allowed", "The methods of each route are listed in /openapi.json."),
}


class Problem(Exception):  # noqa: N818 - an answer, not a fault
    """A refusal by the HTTP door itself."""

    def __init__(
        self, status: int, code: str, message: str, remedy: str, *, retry_after_seconds: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = ErrorBody(error=code, message=message, remedy=remedy)
        self.retry_after_seconds = retry_after_seconds


def to_response(problem: Problem) -> JSONResponse:
    """Turn a refusal into its HTTP answer."""
    headers = {}
    if problem.retry_after_seconds:
        headers["Retry-After"] = str(problem.retry_after_seconds)
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(problem.body.model_dump(), status_code=problem.status, headers=headers)


def of_gate_error(error: GateError) -> Problem:
    """Look the answer for one of the gate's errors up."""
    for kind in type(error).__mro__:
        if answer := ANSWERS.get(kind):
            return Problem(
                answer.status,
                answer.code,
                str(error),
                answer.remedy,
                retry_after_seconds=answer.retry_after_seconds or 0,
            )
    return Problem(500, "gate_error", "The gate could not do this.", "Look at the gate's log.")


def of_validation(error: RequestValidationError) -> Problem:
    """Say which part of the request is wrong, without repeating its value."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return Problem(
        422,
        "invalid_request",
        f"{where}: {first['msg']}",
        "See this route in /openapi.json for what it takes.",
    )


def of_http_exception(error: HTTPException) -> Problem:
    """Answer what the router itself refuses."""
    code, remedy = ROUTING.get(error.status_code, ("http_error", "See /openapi.json."))
    return Problem(error.status_code, code, str(error.detail), remedy)


async def _on_gate_error(_request: Request, error: Exception) -> JSONResponse:
    return to_response(of_gate_error(cast(GateError, error)))


async def _on_disk_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer what the disk refused as the spool's own refusal; anything else is our mistake."""
    number = cast(OSError, error).errno
    if number not in DISK_ERRORS:
        raise error
    return to_response(of_gate_error(DISK_ERRORS[number]()))


async def _on_problem(_request: Request, error: Exception) -> JSONResponse:
    return to_response(cast(Problem, error))


async def _on_validation(_request: Request, error: Exception) -> JSONResponse:
    return to_response(of_validation(cast(RequestValidationError, error)))


async def _on_http_exception(_request: Request, error: Exception) -> JSONResponse:
    return to_response(of_http_exception(cast(HTTPException, error)))


def install(app: FastAPI) -> None:
    """Make the app answer every error in the one form."""
    app.add_exception_handler(LookupFailure, _on_gate_error)
    app.add_exception_handler(ReceiveError, _on_gate_error)
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(OSError, _on_disk_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http_exception)
