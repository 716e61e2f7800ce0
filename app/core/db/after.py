"""What may only be told once a transaction is durable: counters, above all.

A figure that is counted inside a transaction is wrong when the commit fails. ``Database`` opens
a list for each of its transactions and runs it behind the commit.
"""

from collections.abc import Callable
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncConnection

Action = Callable[[], object]
_waiting: WeakKeyDictionary[AsyncConnection, list[Action]] = WeakKeyDictionary()


def after_commit(connection: AsyncConnection, action: Action) -> None:
    """Run an action once the connection's transaction is committed; never when it is not.

    On a connection without such a transaction (each statement commits by itself) it runs now.
    """
    actions = _waiting.get(connection)
    if actions is None:
        action()
    else:
        actions.append(action)


def begin(connection: AsyncConnection) -> None:
    """Collect the actions of a transaction that begins."""
    _waiting[connection] = []


def committed(connection: AsyncConnection) -> None:
    """Run what was collected."""
    for action in _waiting.pop(connection, ()):
        action()
