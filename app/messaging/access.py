"""How a number's WAHA is reached: the platform's own, or one that the tenant named."""

from typing import Any

from app.channels.port import ChannelAccess
from app.core.config import Settings
from app.core.crypto import Keyring
from tenants.channels import api_key_ref


def channel_access(row: Any, settings: Settings, keyring: Keyring) -> ChannelAccess:
    """Return the access of a number.

    Args:
        row: has ``channel_id, session, api_url, api_key`` (sealed), ``engine, engine_version``.
        settings: the platform's own WAHA, where the number has none.
        keyring: opens the sealed key.
    """
    own = row.api_url is not None
    key = settings.waha_api_key
    if own:
        sealed = row.api_key
        key = keyring.decrypt(bytes(sealed), api_key_ref(row.channel_id)) if sealed else ""
    return ChannelAccess(
        channel_id=row.channel_id,
        api_url=row.api_url or settings.waha_api_url,
        api_key=key,
        session=row.session,
        guarded=own,
        engine=row.engine,
        engine_version=row.engine_version,
    )
