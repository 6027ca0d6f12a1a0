"""The first page: how much there is, and how sign-ins went."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette_admin.routing import route

from broker.admin.views.page import Page

DAYS: Final = 14
DAY: Final = 86400.0
SIGN_INS: Final = ("sign_in",)
REFUSALS: Final = ("sign_in.refused", "access.refused", "operator.refused", "grant.reused")
_WIDTH, _HEIGHT, _ROOM = 560, 140, 20


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart, in its own units.

    Attributes:
        x, y, width, height: where it stands.
        count: how many it stands for.
        day: which day, ``11-28``.
    """

    x: float
    y: float
    width: float
    height: float
    count: int
    day: str


def bars(counts: tuple[int, ...], moments: list[float]) -> list[Bar]:
    """Return a bar for each count, the highest as high as there is room."""
    most, step = max((*counts, 1)), _WIDTH / len(counts)
    found = []
    for place, count in enumerate(counts):
        height = count / most * (_HEIGHT - 2 * _ROOM)
        day = datetime.fromtimestamp(moments[place], UTC).strftime("%m-%d")
        top = _HEIGHT - _ROOM - height
        found.append(Bar(place * step + 3, top, step - 6, height, count, day))
    return found


class Home(Page):
    """Answers ``GET /admin``."""

    menu_label = "Overview"
    path = "/"

    @route("")
    async def index(self, request: Request) -> Response:
        """Show counts, and sign-ins and refusals of the last two weeks, by day."""
        today = self.now // DAY * DAY
        moments = [today + (place - DAYS + 1) * DAY for place in range(DAYS + 1)]
        overview = self.sql.overview
        sign_ins = await overview.per_span(SIGN_INS, moments)
        refusals = await overview.per_span(REFUSALS, moments)
        charts = (
            ("Sign-ins", "", sum(sign_ins), bars(sign_ins, moments)),
            ("Refusals", "bad", sum(refusals), bars(refusals, moments)),
        )
        latest = await self.events(limit=8)
        counts = await overview.counts()
        return self.show(
            request, "home.html", "Overview", counts=counts, charts=charts, latest=latest
        )
