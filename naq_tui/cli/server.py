"""``naq server``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from naq_runtime.errors import ServerError

if TYPE_CHECKING:
    from asyncio import Event

    from naq_runtime.config import NAQConfig

__all__ = ["server"]


async def server(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on the loopback interface; 0 for any free one.")
    ] = 4222,
    store: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the data live; a folder of yours by default.")
    ] = None,
    config: NAQConfig,
) -> None:
    """Run a nats-server with JetStream in the foreground, for development.

    Its address is printed; Ctrl-C ends it. The data stay.

    Example: naq server --port 4222 --store ./nats-data
    """
    import asyncio
    import signal

    import platformdirs

    from naq_runtime.embedded import EmbeddedServer

    folder = store or Path(platformdirs.user_data_dir("naq")) / "jetstream"
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with EmbeddedServer(store=folder, port=port) as running:
        print(running.url, flush=True)
        typer.echo(f"data in {folder}, Ctrl-C ends the server", err=True)
        while not stop.is_set():
            if not running.is_alive:
                raise ServerError(f"nats-server has ended: {running.last_words()}")
            await _set_within(stop, 0.5)


async def _set_within(event: Event, seconds: float) -> None:
    import asyncio

    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
