"""The secrets of a local installation: made once, kept in `secrets.json` (0600)."""

import base64
import secrets
from pathlib import Path

from app.cli.local.files import read_json, write_json
from migrations.bootstrap import RolePasswords

FILE_NAME = "secrets.json"


def load_secrets(data_dir: Path) -> dict[str, str]:
    """Read the secrets of a data directory, making those that are missing.

    Keys are environment variables, and `PASSWORD_OWNER/_APP/_SYSTEM` for the embedded database.
    """
    path = data_dir / FILE_NAME
    known = read_json(path) or {}
    values = {name: str(known.get(name) or value) for name, value in _fresh().items()}
    if values != known:
        write_json(path, values)
    return values


def role_passwords(values: dict[str, str]) -> RolePasswords:
    """The three database logins' passwords."""
    return RolePasswords(
        owner=values["PASSWORD_OWNER"],
        app=values["PASSWORD_APP"],
        system=values["PASSWORD_SYSTEM"],
    )


def _fresh() -> dict[str, str]:
    return {
        "SECRET_KEY": secrets.token_hex(32),
        "ENCRYPTION_KEYS": f"local1:{secrets.token_hex(32)}",
        "WAHA_API_KEY": secrets.token_hex(24),
        "WAHA_WEBHOOK_SECRET": secrets.token_hex(32),
        "METRICS_TOKEN": secrets.token_hex(32),
        "RESEND_API_KEY": f"re_{secrets.token_hex(16)}",
        "RESEND_WEBHOOK_SECRET": f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(24)}",
        "PASSWORD_OWNER": secrets.token_urlsafe(32),
        "PASSWORD_APP": secrets.token_urlsafe(32),
        "PASSWORD_SYSTEM": secrets.token_urlsafe(32),
    }
