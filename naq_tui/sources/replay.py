"""A file of events that is played from its beginning, or from any moment on, with no server at all."""

from __future__ import annotations

from pathlib import Path

from naq_runtime.clock import SYSTEM_CLOCK, Clock
from naq_tui.past import Place
from naq_tui.sources.file_past import FileRecording
from naq_tui.sources.playback import Playback

__all__ = ["ReplaySource"]


class ReplaySource(Playback):
    """Plays a file from its beginning, as fast as it happened; its time is that of the events.

    Args:
        path: a file of ``naq events export``; a pipe cannot be gone back in.

    Raises:
        ArchiveError: it cannot be read.
    """

    def __init__(self, path: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        recording = FileRecording(path)
        super().__init__(
            recording, Place(clock.time_ns() if recording.first_ns is None else recording.first_ns), clock=clock
        )
