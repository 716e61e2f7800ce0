"""Pair the demo number with the simulator through WAHA's own API, as a connected channel would."""

import time
from urllib.parse import quote

from app.channels.waha.session_config import session_config
from app.cli.local.demo_tenant import DemoTenant
from app.cli.local.http_client import Answer, request

PAIR_S = 10.0


class PairingError(Exception):
    """The simulator did not take the session; the message has its answer."""


def pair(simulator_url: str, api_key: str, app_url: str, tenant: DemoTenant) -> None:
    """Create the session (or move an older one to today's address) and scan its QR code."""
    headers = {"X-Api-Key": api_key}
    session = f"{simulator_url}/api/sessions/{quote(tenant.waha_session)}"
    door = f"{app_url}/webhooks/waha/{tenant.channel_key}"
    wanted = {"name": tenant.waha_session, "config": session_config(door, tenant.webhook_secret)}
    if request("GET", session, headers=headers).status == 200:  # noqa: PLR2004
        _expect(request("PUT", session, payload=wanted, headers=headers), "changing the session")
    else:
        answer = request(
            "POST",
            f"{simulator_url}/api/sessions",
            payload=wanted | {"start": True},
            headers=headers,
        )
        _expect(answer, "creating the session")
    _until_working(simulator_url, session, headers, tenant)


def _until_working(
    simulator_url: str, session: str, headers: dict[str, str], tenant: DemoTenant
) -> None:
    """Scan whenever the session shows a QR code; start it when it was left stopped."""
    scan = f"{simulator_url}/_sim/sessions/{quote(tenant.waha_session)}/scan"
    deadline = time.monotonic() + PAIR_S
    status = "unknown"
    while time.monotonic() < deadline:
        answer = request("GET", session, headers=headers)
        status = str(answer.json().get("status")) if answer.status == 200 else "absent"  # noqa: PLR2004
        if status == "WORKING":
            return
        if status == "SCAN_QR_CODE":
            _expect(request("POST", scan, payload={"phone": tenant.waha_number}), "scanning")
        elif status in {"STOPPED", "FAILED"}:
            request("POST", f"{session}/start", headers=headers)
        time.sleep(0.05)
    raise PairingError(f"the session is {status} after {PAIR_S:.0f} s, not WORKING")


def _expect(answer: Answer, step: str) -> None:
    if answer.status >= 300:  # noqa: PLR2004
        detail = answer.body.decode("utf-8", "replace")[:300]
        raise PairingError(f"{step}: the simulator answered {answer.status} {detail}")
