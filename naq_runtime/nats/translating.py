"""The errors of the client and of the server, turned into ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import nats.errors

from naq_runtime.errors import (
    JetStreamError,
    JetStreamUnavailable,
    MessageTooLarge,
    NotAuthorised,
    ServerError,
    ServerUnreachable,
)

__all__ = ["jetstream_error", "reason_of", "translated"]

_NO_JETSTREAM = {10039, 10076}


def jetstream_error(error: dict[str, Any]) -> ServerError:
    """The exception for an error of the JetStream API."""
    code, description = int(error.get("err_code", 0)), str(error.get("description", "unknown error"))
    if code in _NO_JETSTREAM:
        return JetStreamUnavailable(f"the server has no JetStream for this account: {description}")
    return JetStreamError(code, description)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn the errors of the client into ours."""
    try:
        yield
    except nats.errors.MaxPayloadError as error:
        raise MessageTooLarge("the message is larger than the server accepts") from error
    except nats.errors.AuthorizationError as error:
        raise NotAuthorised("the server refused the permission") from error
    except nats.errors.NoRespondersError as error:
        raise ServerUnreachable("nothing answers there: the stream is missing, or JetStream is away") from error
    except (TimeoutError, nats.errors.TimeoutError) as error:
        raise ServerUnreachable("the server did not answer in time") from error
    except (nats.errors.Error, OSError) as error:
        raise ServerUnreachable(f"the connection to the server failed: {reason_of(error)}") from error


def reason_of(error: BaseException | None) -> str:
    """Why something failed, in a few words."""
    if error is None or type(error) is TimeoutError:
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
