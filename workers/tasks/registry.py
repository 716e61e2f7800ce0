"""The Celery tasks: doorbells that carry nothing and call one function each."""

from celery import Celery

from app.queue import DRAIN_TASKS
from workers.runtime import Runtime


def register(celery: Celery, runtime: Runtime) -> None:
    """Register all tasks of a worker process under the names that the doorbell uses."""
    celery.task(name=DRAIN_TASKS["ingest"])(runtime.drain_inbox)
    celery.task(name=DRAIN_TASKS["reply"])(runtime.drain_turns)
    celery.task(name=DRAIN_TASKS["media"])(runtime.fetch_media)
    celery.task(name=DRAIN_TASKS["mail"])(runtime.send_mails)
    celery.task(name=DRAIN_TASKS["webhook"])(runtime.process_events)
    celery.task(name=DRAIN_TASKS["housekeeping"])(runtime.read_knowledge)
