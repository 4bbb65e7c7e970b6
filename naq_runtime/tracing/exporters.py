"""The exporters that the variables of the environment name, as the specification of OpenTelemetry has them."""

from __future__ import annotations

import os
from importlib.metadata import entry_points

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExporter

from naq_runtime.errors import ConfigError

__all__ = ["exporters", "resource_of"]

_GROUP = "opentelemetry_traces_exporter"
_DEFAULT_PROTOCOL = "http/protobuf"
_PROTOCOLS = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


def exporters() -> list[SpanExporter]:
    """Those of ``OTEL_TRACES_EXPORTER`` (``otlp`` when it is not set); none with ``OTEL_SDK_DISABLED``.

    Raises:
        ConfigError: one is not installed.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    named = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    return [_exporter(name.strip()) for name in named.split(",") if name.strip() not in ("", "none")]


def _exporter(name: str) -> SpanExporter:
    wanted = name
    if name == "otlp":
        protocol = (
            os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
            or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
            or _DEFAULT_PROTOCOL
        )
        wanted = _PROTOCOLS.get(protocol, protocol)
    for entry in entry_points(group=_GROUP, name=wanted):
        made: SpanExporter = entry.load()()
        return made
    known = ", ".join(sorted({entry.name for entry in entry_points(group=_GROUP)} | {"otlp", "none"}))
    raise ConfigError(f"OTEL_TRACES_EXPORTER: there is no exporter {wanted}: use one of {known}, or install it")


def resource_of(role: str) -> Resource:
    """Who we are: as ``OTEL_SERVICE_NAME`` and ``OTEL_RESOURCE_ATTRIBUTES`` say, or by our role."""
    found = Resource.create()
    if str(found.attributes.get("service.name", "")).startswith("unknown_service"):
        return found.merge(Resource({"service.name": f"naq-{role}"}))
    return found
