"""The clock of a playback: it shows moments of the past, and they pass at a speed of their own."""

from __future__ import annotations

__all__ = ["Pace"]


class Pace:
    """Maps the reader's time to the moment that is on show.

    Args:
        moment_ns: what it shows at first.
        speed: how many seconds pass in one; 0 when it stands still.
        now_ns: what the reader's clock shows.
    """

    def __init__(self, moment_ns: int, speed: int, now_ns: int) -> None:
        self.speed = speed
        self._moment_ns = moment_ns
        self._since_ns = now_ns

    def __repr__(self) -> str:
        return f"<Pace ×{self.speed} from {self._moment_ns}>"

    def at(self, now_ns: int) -> int:
        """The moment that is on show."""
        return self._moment_ns + self.speed * max(0, now_ns - self._since_ns)

    def change(self, speed: int, now_ns: int) -> None:
        """Go on at another speed."""
        self.move(self.at(now_ns), now_ns)
        self.speed = speed

    def move(self, moment_ns: int, now_ns: int) -> None:
        """Show another moment, and go on from there."""
        self._moment_ns, self._since_ns = moment_ns, now_ns

    def hold(self, latest_ns: int, now_ns: int) -> int:
        """Go no further than this, and from there when it is reached; the moment that is on show then."""
        moment_ns = self.at(now_ns)
        if moment_ns > latest_ns:
            moment_ns = max(latest_ns, self._moment_ns)
            self.move(moment_ns, now_ns)
        return moment_ns
