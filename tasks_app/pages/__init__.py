"""The fleet's own pages at /, for members of fleets, in rooms by noun. Apps above have pages of their own."""

from tasks_app.pages.account import account_urls
from tasks_app.pages.commands import commands_urls
from tasks_app.pages.device import device_urls
from tasks_app.pages.devices import devices_urls
from tasks_app.pages.events import events_urls
from tasks_app.pages.geofences import geofences_urls
from tasks_app.pages.home import home_urls
from tasks_app.pages.map import map_urls
from tasks_app.pages.pickers import pickers_urls
from tasks_app.pages.trips import trips_urls

page_urls = [
    *home_urls,
    *map_urls,
    *devices_urls,
    *device_urls,
    *commands_urls,
    *trips_urls,
    *events_urls,
    *geofences_urls,
    *account_urls,
    *pickers_urls,
]

__all__ = ["page_urls"]
