"""The console of platform admins: which pages it has, for the site that serves them."""

from app.dashboard.pages.admin import access, audit, businesses, catalogue, money, overview, stuck

MODULES = (overview, businesses, money, stuck, catalogue, access, audit)
"""Each has ``routes(desk)``."""
