"""All routes of the simulated WAHA."""

from simulator.waha.routes_reading import ReadingRoutes
from simulator.waha.routes_sending import SendingRoutes
from simulator.waha.routes_sessions import SessionRoutes
from simulator.waha.service import Waha


def register_routes(waha: Waha) -> None:
    """Put every route on WAHA's router; session routes first, as their paths are the narrowest."""
    SessionRoutes(waha).register(waha.router)
    SendingRoutes(waha).register(waha.router)
    ReadingRoutes(waha).register(waha.router)
