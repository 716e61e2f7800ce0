"""Finds Debian's Chromium for the browser tests, and installs it by apt where that is allowed."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing of the browser's own may leave the machine or need a GPU.
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find() -> str | None:
    """Return the browser's path; None when there is none. ``PARLEY_CHROMIUM`` wins."""
    given = os.environ.get("PARLEY_CHROMIUM")
    return given or next((path for name in NAMES if (path := shutil.which(name))), None)


def arguments() -> list[str]:
    """Return the browser's arguments; root cannot use its sandbox."""
    return [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]


def install() -> bool:
    """Install the browser with apt; False when that is not possible here."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]
    subprocess.run(["apt-get", "update"], check=False, **quiet)  # type: ignore[call-overload]
    done = subprocess.run(command, check=False, **quiet)  # type: ignore[call-overload]
    return done.returncode == 0 and find() is not None


if __name__ == "__main__":
    if find() is None:
        print("Installing Chromium")
        if not install():
            sys.exit(
                "The browser tests need Chromium: install the package chromium, or name one in"
                " PARLEY_CHROMIUM."
            )
