"""The environment of a running `parley up`, for commands typed in the same directory."""

import os
from collections.abc import Mapping
from pathlib import Path

from app.cli.local.files import read_json, write_json
from app.cli.local.lock import is_held

DEFAULT_DATA_DIR = Path(".parley")
FILE_NAME = "env.json"


def data_directory(given: Path | None = None) -> Path:
    """The data directory asked for: the argument, else PARLEY_DATA_DIR, else `.parley` here."""
    named = os.environ.get("PARLEY_DATA_DIR")
    return (given or (Path(named) if named else DEFAULT_DATA_DIR)).absolute()


def load_environment(data_dir: Path | None = None) -> Path | None:
    """Take over the environment of the stack that runs from the data directory.

    Does nothing when DATABASE_URL is set, because the caller then chose a deployment, nor when no
    supervisor holds the directory, because its ports are then nobody's. Variables that are already
    set win. Returns the file read, or None.
    """
    if os.environ.get("DATABASE_URL"):
        return None
    directory = data_directory(data_dir)
    if not is_held(directory):
        return None
    path = directory / FILE_NAME
    values = read_json(path)
    if values is None:
        return None
    for name, value in values.items():
        os.environ.setdefault(name, str(value))
    return path


def save_environment(data_dir: Path, values: Mapping[str, str]) -> Path:
    """Write what `load_environment` reads (mode 0600: it holds secrets)."""
    path = data_dir / FILE_NAME
    write_json(path, dict(values))
    return path


def remove_environment(data_dir: Path) -> None:
    """Take the file away when the stack has stopped."""
    (data_dir / FILE_NAME).unlink(missing_ok=True)
