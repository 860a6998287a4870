"""The fleet's own pages at /, for members of fleets, in rooms by noun. Apps above have pages of their own."""

from tasks_app.pages.account import account_urls
from tasks_app.pages.home import home_urls
from tasks_app.pages.map import map_urls

page_urls = [*home_urls, *map_urls, *account_urls]

__all__ = ["page_urls"]
