"""A tenant's credits, asked through the operator's own command."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from app.cli.errors import CommandError, ExitCode
from app.cli.local.stack import PARLEY

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Balance:
    """Credits of a tenant: free to use, reserved for replies under way, spent."""

    available: Decimal
    held: Decimal
    spent: Decimal

    def __str__(self) -> str:
        """The three figures for people."""
        return f"{self.available} available, {self.held} held, {self.spent} spent"


def read_balance(tenant_id: str, environment: Mapping[str, str]) -> Balance:
    """Run `parley credits balance --tenant ID --json` and read its last line."""
    done = subprocess.run(
        [*PARLEY, "credits", "balance", "--tenant", tenant_id, "--json"],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise CommandError(
            ExitCode.WRONG,
            f"`parley credits balance` ended with {done.returncode}: {done.stderr.strip()[-300:]}",
        )
    value = json.loads(done.stdout.strip().splitlines()[-1])
    return Balance(*(Decimal(str(value[name])) for name in ("available", "held", "spent")))
