"""``naq metrics``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from naq_runtime.config import NAQConfig

__all__ = ["metrics"]


async def metrics(
    *,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65_535, help="Where to listen; 9464 unless configured.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="Of this machine; 127.0.0.1 unless configured.")
    ] = None,
    config: NAQConfig,
) -> None:
    """Serve metrics of the whole namespace to Prometheus, until SIGTERM or Ctrl-C.

    Example: naq metrics --port 9464
    """
    from msgspec.structs import replace

    from naq_runtime.errors import ConfigError

    try:
        from naq_runtime.prometheus.process import serve
    except ImportError as error:
        raise ConfigError("naq metrics needs prometheus_client: pip install 'naq-top[prometheus]'") from error
    given = {name: value for name, value in (("port", port), ("host", host)) if value is not None}
    await serve(replace(config, metrics=replace(config.metrics, **given)))
