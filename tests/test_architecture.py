"""The shape of the code base: layers, empty packages, fault points in their places, timings."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest

from app.core.config import Settings, Timings
from app.core.faults import FAULT_POINTS

ROOT = Path(__file__).parents[1]
OURS = ("app", "tenants", "billing", "workers", "migrations", "simulator", "benchmarks")
LAYERS = (
    "app",
    "app/core",
    "app/channels",
    "app/llm",
    "app/http",
    "app/messaging",
    "app/assistant",
    "tenants",
    "billing",
    "workers",
)
# Where each point of the message path stands; moving one is a decision, not an accident.
STANDS_IN = {
    "ingest.before_commit": "app/messaging/ingest/storing.py",
    "ingest.after_commit": "app/messaging/ingest/group_commit.py",
    "ingest.after_answer_before_bell": "app/messaging/ingest/group_commit.py",
    "normalise.before_commit": "app/messaging/ingest/normalise.py",
    "normalise.after_commit": "app/messaging/ingest/normalise.py",
    "dispatch.before_bell": "workers/scheduler/main.py",
    "claim.before_commit": "app/messaging/turns/claiming.py",
    "claim.after_commit": "app/messaging/turns/claiming.py",
    "hold.before_commit": "app/messaging/turns/holding.py",
    "hold.after_commit": "app/messaging/turns/holding.py",
    "model.before_call": "app/llm/openai.py",
    "model.after_answer": "app/llm/openai.py",
    "reply.before_commit": "app/messaging/turns/replying.py",
    "reply.after_commit": "app/messaging/turns/replying.py",
    "send.before_attempt_commit": "app/messaging/sends/recording.py",
    "send.after_attempt_commit": "app/messaging/sends/recording.py",
    "send.before_seen": "app/channels/waha/client.py",
    "send.before_typing": "app/channels/waha/client.py",
    "send.before_provider_call": "app/channels/waha/client.py",
    "send.after_provider_accepted": "app/channels/waha/client.py",
    "settle.before_commit": "app/messaging/sends/recording.py",
    "settle.after_commit": "app/messaging/sends/recording.py",
    "reconcile.before_lookup": "app/messaging/reconcile.py",
    "reconcile.before_commit": "app/messaging/reconcile.py",
    "sweep.before_commit": "workers/scheduler/upkeep.py",
}


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """The modules a file names in its imports, wherever they stand in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(importlib.util.resolve_name("." * node.level + (node.module or ""), "app"))
    return names


def modules_after(statement: str) -> set[str]:
    """What a fresh process has loaded after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize("package", LAYERS)
def test_layer_packages_are_empty(package: str):
    assert (ROOT / package / "__init__.py").read_text() == ""


def test_every_package_of_ours_has_an_init():
    missing = {
        path.parent
        for path in sources("app", "tenants", "billing", "workers")
        if not (path.parent / "__init__.py").exists()
    }
    assert missing == set()


def test_workers_do_not_load_the_web_framework():
    loaded = modules_after("import workers.main, workers.scheduler.main")
    assert loaded & {"litestar", "uvicorn"} == set()
    assert {"celery", "workers"} <= loaded


def test_the_floor_imports_nothing_of_ours():
    upper = re.compile(
        r"(?:tenants|billing|workers|migrations|simulator|benchmarks)\b|app\.(?!core\b)|litestar\b"
    )
    found = {
        (str(path.relative_to(ROOT)), name)
        for path in sources("app/core")
        for name in imported(path)
        if upper.match(name)
    }
    assert found == set()


def test_nothing_in_the_product_imports_the_simulator():
    found = [
        path
        for path in sources("app", "tenants", "billing", "workers", "migrations")
        if any(name.partition(".")[0] == "simulator" for name in imported(path))
    ]
    assert found == []


def test_only_the_queue_and_the_workers_import_celery():
    found = {
        str(path.relative_to(ROOT))
        for path in sources(*OURS)
        if any(name.partition(".")[0] in {"celery", "kombu"} for name in imported(path))
    }
    assert {name for name in found if not name.startswith("workers/")} <= {"app/queue.py"}


def fault_calls() -> Counter[tuple[str, str]]:
    """(point, file) of every call of fault_point; a name that is no literal is ``?``."""
    found: Counter[tuple[str, str]] = Counter()
    for path in sources("app", "tenants", "billing", "workers"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
            name = name.id if isinstance(name, ast.Name) else name
            if name == "fault_point":
                point = node.args[0]
                literal = point.value if isinstance(point, ast.Constant) else "?"
                found[str(literal), str(path.relative_to(ROOT))] += 1
    return found


def test_every_fault_point_stands_once_where_it_is_named():
    assert fault_calls() == Counter(STANDS_IN.items())


def test_the_registry_holds_every_point_and_no_other():
    assert set(STANDS_IN) == set(FAULT_POINTS)
    assert all(FAULT_POINTS.values())


def test_production_timings():
    expected = {
        "idle_s": 8,
        "cap_s": 45,
        "lease_s": 60,
        "renew_s": 20,
        "send_timeout_s": 85,
        "unknown_after_s": 90,
        "sweep_s": 5,
        "model_timeout_s": 60,
        "stop_grace_s": 0.5,
        "model_give_up_s": 120,
        "answer_max_age_s": 3600,
        "read_back_s": 20,
        "lead_s": 10,
        "crawl_pause_s": 1,
        "number_check_s": 60,
        "number_down_s": 900,
        "media_wait_s": 30,
    }
    actual = Timings()
    assert {name: getattr(actual, name) for name in expected} == expected


def test_the_order_of_timings():
    timings = Timings()
    assert timings.idle_s < timings.cap_s
    assert timings.renew_s * 2 < timings.lease_s, "one missed renewal must not lose the lease"
    assert timings.model_timeout_s <= timings.lease_s
    assert timings.model_timeout_s < timings.model_give_up_s < timings.answer_max_age_s
    # WAHA itself waits up to 75 s for WhatsApp.
    assert 75 < timings.send_timeout_s < timings.unknown_after_s
    assert timings.read_back_s < timings.unknown_after_s
    assert timings.sweep_s <= 5
    assert timings.lead_s > 3, "the scheduler renews within a third of it, and looks once a second"
    assert timings.stop_grace_s < 1
    assert timings.drain_s < 30
    assert timings.typing_max_s < timings.lease_s
    assert all(getattr(timings, item.name) > 0 for item in fields(Timings))


def test_every_timing_can_be_set_and_is_read():
    given = {f"PARLEY_{item.name.upper()}": "7.25" for item in fields(Timings)}
    timings = Settings.from_environ(given).timings
    assert {getattr(timings, item.name) for item in fields(Timings)} == {7.25}
