"""What the documents promise exists: links, commands, variables, decisions, the import contract."""

import ast
import itertools
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from urllib.parse import unquote

import asyncpg
import click
import pytest

from app.cli.local.install import postgres_bin
from app.cli.local.postgres import EmbeddedPostgres
from app.cli.main import cli
from app.core.config import Limits, Settings, Timings
from app.core.faults import FAULT_POINTS
from migrations import bootstrap, runner

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
ENV_EXAMPLE = ROOT / "deploy" / "parley.env.example"
BOOTSTRAP_SQL = ROOT / "deploy" / "bootstrap.sql"
PASSWORDS = bootstrap.RolePasswords(owner="o'w\"n", app="a p p", system="$y$tem")

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
MAKE = re.compile(r"\bmake ([a-z]+)\b")
PARLEY = re.compile(r"\bparley ([a-z]+)(?: ([a-z]+))?\b")
PATH = re.compile(
    r"`((?:app|tenants|billing|workers|migrations|simulator|deploy|docs|tests)/[\w./-]+)`"
)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_local_links_and_images_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text())
    targets = [first or second for first, second in LINK.findall(text)]
    dead = [
        target
        for target in targets
        if not re.match(r"[a-z]+:", target) and not _leads_somewhere(page, target)
    ]
    assert dead == []


def _leads_somewhere(page: Path, target: str) -> bool:
    name, _, anchor = unquote(target).partition("#")
    found = (page.parent / name).resolve() if name else page
    if not found.exists():
        return False
    return not anchor or anchor in _anchors(found)


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_named_commands_and_files_exist(page: Path) -> None:
    text = page.read_text()
    code = "\n".join(re.findall(r"`[^`\n]+`|^```.*?^```", text, re.MULTILINE | re.DOTALL))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(MAKE.findall(code)) - targets == set()
    assert [" ".join(words) for words in PARLEY.findall(code) if not _is_command(*words)] == []
    assert [path for path in PATH.findall(text) if not (ROOT / path).exists()] == []


def _is_command(name: str, sub: str) -> bool:
    context = click.Context(cli)
    command = cli.get_command(context, name)
    if isinstance(command, click.Group) and sub:
        command = command.get_command(context, sub)
    return command is not None


def test_the_example_environment_is_what_settings_know() -> None:
    lines = ENV_EXAMPLE.read_text().splitlines()
    named = [match[1] for line in lines if (match := re.match(r"#?([A-Z][A-Z0-9_]+)=", line))]
    groups = {"timings": Timings, "limits": Limits}
    known = {f.name.upper() for f in fields(Settings) if f.name not in groups}
    known |= {f"PARLEY_{f.name.upper()}" for group in groups.values() for f in fields(group)}
    assert len(named) == len(set(named))
    assert set(named) == known


def test_the_example_environment_shows_the_defaults() -> None:
    shown = dict(re.findall(r"^#([A-Z][A-Z0-9_]+)=(.+)$", ENV_EXAMPLE.read_text(), re.MULTILINE))
    assert Settings.from_environ(shown) == Settings()


def test_each_variable_of_the_example_is_explained() -> None:
    lines = ENV_EXAMPLE.read_text().splitlines()
    bare = [
        line
        for before, line in itertools.pairwise(lines)
        if re.match(r"#?[A-Z][A-Z0-9_]+=", line) and not before.startswith("# ")
    ]
    assert bare == []


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(page.name for page in folder.glob("*.md"))
    numbers = [int(name.partition("-")[0]) for name in pages]
    assert numbers == list(range(1, len(pages) + 1))
    for name, number in zip(pages, numbers, strict=True):
        assert (folder / name).read_text().startswith(f"# {number:04d}: ")
    index = (ROOT / "docs" / "architecture.md").read_text()
    assert [name for name in pages if f"decisions/{name}" not in index] == []


def test_the_crash_table_names_every_fault_point() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`([a-z]+\.[a-z_]+)`", text))
    assert set(FAULT_POINTS) - named == set()


def test_every_package_has_its_place_in_the_import_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lint = settings["tool"]["importlinter"]
    layers = next(c["layers"] for c in lint["contracts"] if c["id"] == "layers")
    placed = {name.strip(" ()") for layer in layers for name in layer.split("|")}
    packages = set(settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert set(lint["root_packages"]) == packages
    assert packages - placed == {"app", "simulator"}  # the one is split up, the other outside
    found = {f"app.{path.stem}" for path in (ROOT / "app").iterdir() if _is_module(path)}
    assert found - placed == set()


def _is_module(path: Path) -> bool:
    if path.is_dir():
        return (path / "__init__.py").exists()
    return path.suffix == ".py" and path.stem != "__init__"


def test_vercel_rewrites_nothing_and_the_entrypoint_is_there() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    module, _, name = settings["tool"]["vercel"]["entrypoint"].partition(":")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
    assigned = {
        t.id
        for n in tree.body
        if isinstance(n, ast.Assign)
        for t in n.targets
        if isinstance(t, ast.Name)
    }
    assert name in assigned
    assert "app" not in settings["project"]["scripts"]  # Vercel would take it for the entrypoint
    shadowing = {"rewrites", "routes", "redirects", "builds", "trailingSlash", "cleanUrls"}
    assert shadowing & set(json.loads((ROOT / "vercel.json").read_text())) == set()


@pytest.fixture
def fresh_cluster(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A cluster of its own: roles belong to the whole cluster and must not be there yet."""
    server = EmbeddedPostgres(tmp_path / "pg", durable=False)
    server.start()
    yield server
    server.destroy()


@pytest.mark.anyio
async def test_bootstrap_sql_leaves_what_our_own_bootstrap_leaves(
    fresh_cluster: EmbeddedPostgres,
) -> None:
    url = fresh_cluster.superuser_url
    assert _psql(url, {}).returncode != 0
    _run_bootstrap_sql(url)
    by_script = await _state(url)
    _run_bootstrap_sql(url)
    assert await _state(url) == by_script
    urls = await bootstrap.bootstrap(url, database="parley", passwords=PASSWORDS)
    assert await _state(url) == by_script
    assert await runner.upgrade(urls.admin) == runner.head()


def _run_bootstrap_sql(url: str) -> None:
    secrets = {
        "owner_password": PASSWORDS.owner,
        "app_password": PASSWORDS.app,
        "system_password": PASSWORDS.system,
    }
    ran = _psql(url, secrets)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", "")


def _psql(url: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    given = [part for name, value in variables.items() for part in ("-v", f"{name}={value}")]
    return subprocess.run(
        [str(postgres_bin() / "psql"), "-X", "-q", url, *given, "-f", str(BOOTSTRAP_SQL)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def _state(url: str) -> list[list[tuple[object, ...]]]:
    """Roles, memberships, who may connect, extensions: everything that a bootstrap decides."""
    connection = await asyncpg.connect(url.rpartition("/")[0] + "/parley", timeout=10)
    questions = (
        "select * from pg_roles where rolname like 'parley_%' order by rolname",
        "select * from pg_auth_members where member::regrole::text like 'parley_%'",
        "select pg_get_userbyid(datdba), datacl::text from pg_database where datname = 'parley'",
        "select extname, extnamespace::regnamespace::text from pg_extension order by 1",
    )
    try:
        return [[tuple(row) for row in await connection.fetch(q)] for q in questions]
    finally:
        await connection.close()
