"""Opens the media store that ``MEDIA_URL`` names."""

import os
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from app.core.config import Settings
from app.core.errors import ConfigurationError
from app.core.media.store import MediaStore


def open_store(settings: Settings) -> MediaStore:
    """Return the store that ``MEDIA_URL`` names.

    ``file:///var/lib/parley/media`` or ``s3://bucket/prefix?endpoint=…&region=…``. Credentials
    of S3 come from the AWS variables of the environment, never from the URL. Outside production
    an empty one is a folder of our own among the temporary files.

    Raises:
        ConfigurationError: MEDIA_URL is missing or names no store that there is.
    """
    parts = urlsplit(settings.media_url)
    if not settings.media_url and not settings.production:
        from app.core.media.disk import DiskStore

        return DiskStore(Path(tempfile.gettempdir()) / f"parley-media-{os.getuid()}")
    if parts.scheme == "file":
        from app.core.media.disk import DiskStore

        path = unquote(parts.path)
        if parts.netloc or not path.startswith("/"):
            raise ConfigurationError(["MEDIA_URL must name a whole path: file:///var/lib/parley."])
        return DiskStore(Path(path))
    if parts.scheme == "s3" and parts.netloc:
        from app.core.media.bucket import open_bucket

        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        return open_bucket(
            parts.netloc,
            prefix=parts.path.strip("/"),
            endpoint=query.get("endpoint"),
            region=query.get("region"),
        )
    raise ConfigurationError(
        ["MEDIA_URL is missing: file:///var/lib/parley/media or s3://bucket/prefix?endpoint=URL."]
    )
