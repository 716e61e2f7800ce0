"""The ASGI application that servers import: ``app.asgi:app``."""

from app.factory import create_app

app = create_app()
