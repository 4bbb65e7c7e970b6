"""Which moment is on show: the present, or one of the past that a recording tells of."""

from __future__ import annotations

from collections.abc import Callable

from naq_runtime.clock import Clock
from naq_runtime.events.filters.values import moment_of
from naq_tui.model.log import EventLog
from naq_tui.past import LAST, Density, Place, Recording, Span, place_of
from naq_tui.sources.playback import SPEEDS, Playback
from naq_tui.stage import Stage
from naq_tui.text import clock_text, date_text, moment_text

__all__ = ["SPANS_S", "Travel", "TravelError", "before", "window"]

SPANS_S = (600, 3_600, 21_600, 86_400, 604_800)
"""How long a time the scrubber can show, in seconds."""
_SPAN = 1
_LOOKED_AT = 2_000
"""The last events among which the one before is looked for."""


class TravelError(Exception):
    """Nobody can go there; the message says why."""


class Travel:
    """The stage that is on show, and the way to others.

    The present goes on being read meanwhile. Another moment is a stage of its own, which is shown when its first batch
    is there: whoever goes back and forth sees no gap.

    Args:
        home: the present; for a recording that is played from a file, its beginning.
        begin: has a stage read.
    """

    def __init__(self, home: Stage, clock: Clock, *, begin: Callable[[Stage], None]) -> None:
        self.shown = home
        """What is on show."""
        self.density: Density | None = None
        """How much there was around the moment that is on show; ``None`` while that is not known."""
        self._home = home
        self._clock = clock
        self._begin = begin
        self._coming: Stage | None = None
        self._span = _SPAN
        self._known: Span | None = None
        """Of the recording, when it was last asked."""

    def __repr__(self) -> str:
        return f"<Travel {self.shown!r}>"

    @property
    def playback(self) -> Playback | None:
        """The moment of the past that is on show, or about to be; ``None`` for the present."""
        source = (self._coming or self.shown).source
        return source if isinstance(source, Playback) else None

    @property
    def in_past(self) -> bool:
        """Whether it is the past that is on show."""
        return isinstance(self.shown.source, Playback)

    @property
    def has_present(self) -> bool:
        """Whether there is a present to go back to."""
        return not isinstance(self._home.source, Playback)

    @property
    def has_past(self) -> bool:
        """Whether anything is known of the past by now."""
        return self._home.source.past is not None

    async def go_to(self, text: str) -> str:
        """Go to the moment that somebody has typed; what is to be said of it, empty for nothing.

        Raises:
            TravelError: it is none, or lies ahead, or nothing is kept.
            NaqError: what is kept cannot be asked for now.
        """
        recording = self._recording()
        self._known = span = await recording.span()
        try:
            moment_ns = moment_of(text.strip()).at_ns(span.last_ns)
        except ValueError as error:
            raise TravelError(str(error)) from error
        if moment_ns > span.last_ns:
            until = f"{date_text(span.last_ns)} {clock_text(span.last_ns)}"
            raise TravelError("that is still to come" if self.has_present else f"the recording ends at {until}")
        self.go(Place(max(moment_ns, span.first_ns)))
        if moment_ns < span.first_ns:
            return f"Nothing is kept from before {moment_text(span.first_ns, span.last_ns)}: this is the beginning."
        return ""

    def go(self, place: Place, speed: int | None = None) -> None:
        """Go to a place, and on at a speed: the one of now, unless it is said."""
        playback = self.playback
        if speed is None:
            speed = playback.speed if playback is not None else 1
        self._coming = Stage(Playback(self._recording(), place, speed=speed, clock=self._clock), self._clock)
        self._begin(self._coming)

    def arrived(self, stage: Stage) -> bool:
        """A stage has something to show: whether it is on show from now on, and was not before."""
        if stage is not self._coming:
            return False
        self._coming = None
        self._show(stage)
        return True

    def go_home(self) -> None:
        """Go back to the present."""
        self._coming = None
        if self.shown is not self._home:
            self._show(self._home)

    def step(self, steps: int) -> bool:
        """Stand still, one event further on, or back; false when there is none before."""
        playback = self.playback
        if playback is None:
            return False
        if steps > 0:
            playback.play(0)
            playback.step()
            return True
        place = before(self.shown.dashboard.log, playback.place)
        if place is not None:
            self.go(place, 0)
        return place is not None

    def shift(self, span_ns: int, *, still: bool) -> None:
        """Go on by a span of time, or back by it.

        Args:
            still: stand still there.
        """
        playback = self.playback
        if playback is None:
            return
        speed = 0 if still else playback.speed
        if still and span_ns > 0:
            playback.play(speed)
            playback.advance(span_ns)
            return
        moment_ns = playback.time_of(self._clock.time_ns()) + span_ns
        if self._known is not None:
            moment_ns = max(moment_ns, self._known.first_ns)
        self.go(Place(min(moment_ns, self._latest_ns())), speed)

    def change_speed(self, step: int) -> None:
        """Play slower, or faster."""
        if self.playback is not None:
            place = SPEEDS.index(self.playback.speed) + step
            self.playback.play(SPEEDS[max(0, min(place, len(SPEEDS) - 1))])

    def toggle(self) -> None:
        """Stand still, or go on as it happened."""
        if self.playback is not None:
            self.playback.play(0 if self.playback.speed else 1)

    def zoom(self, step: int) -> None:
        """Look at a shorter time around the moment, or a longer one."""
        self._span = max(0, min(self._span + step, len(SPANS_S) - 1))
        self.density = None

    # The scrubber

    @property
    def lacks_density(self) -> bool:
        """Whether it is not known how much there was around the moment that is on show."""
        moment_ns, density = self.shown.now_ns(), self.density
        return density is None or not density.since_ns <= moment_ns <= density.until_ns

    async def ask_density(self, moment_ns: int, parts: int) -> None:
        """Count what there was around a moment.

        Raises:
            NaqError: it cannot be asked for now.
        """
        recording = self._recording()
        self._known = await recording.span()
        length_ns = SPANS_S[self._span] * 1_000_000_000
        self.density = await recording.density(window(moment_ns, length_ns, self._known), parts)

    def _recording(self) -> Recording:
        recording = self._home.source.past
        if recording is None:
            raise TravelError("nothing is known of the past yet")
        return recording

    def _latest_ns(self) -> int:
        """Up to when there may be something."""
        return self._home.now_ns() if self.has_present else self._known.last_ns if self._known else LAST

    def _show(self, stage: Stage) -> None:
        stage.dashboard.watch_as(self.shown.dashboard)
        self.shown = stage


def before(log: EventLog, place: Place) -> Place | None:
    """The place of the last event before a place; of one that is shown already, the one before that."""
    events = log.between(log.end - _LOOKED_AT, log.end)
    places = sorted(place_of(stored) for stored in events)
    earlier = [one for one in places if one < place]
    if place.sequence == LAST and earlier and earlier[-1].moment_ns == place.moment_ns:
        earlier.pop()
    return earlier[-1] if earlier else None


def window(moment_ns: int, length_ns: int, known: Span) -> Span:
    """A time of this length around a moment, moved into what is known; shorter when there is not so much."""
    first_ns = max(known.first_ns, min(moment_ns - length_ns // 2, known.last_ns - length_ns))
    return Span(first_ns, max(first_ns + 1, min(first_ns + length_ns, known.last_ns)))
