"""What Upstash's REST interface does to commands and results on their way to Redis and back."""

import base64
import hashlib
from typing import Any

from simulator.upstash.resp import Command, RedisError, Reply, Status

# Commands that would block, or change the one connection that all callers share.
_UNSUPPORTED_NAMES = (
    "BLPOP BRPOP BLMOVE BLMPOP BRPOPLPUSH BZPOPMIN BZPOPMAX BZMPOP WAIT WAITAOF WATCH UNWATCH MULTI"
    " EXEC DISCARD SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE MONITOR SYNC PSYNC"
    " SELECT AUTH HELLO QUIT RESET CLIENT SHUTDOWN DEBUG REPLICAOF SLAVEOF CONFIG SAVE"
    " BGSAVE"
)
UNSUPPORTED = frozenset(_UNSUPPORTED_NAMES.split())
_SHEBANG = b"#!lua"


class BadCommandError(Exception):
    """A command that the REST interface refuses; the text is the error."""


class ScriptNames:
    """Keeps EVALSHA working for scripts whose first line old Redis cannot read.

    Redis 7 and Upstash take `#!lua flags=…` as a script's first line; Redis 6.2 refuses it. That
    line is taken off before the script goes on, and callers' hashes are those of the script they
    know.
    """

    def __init__(self) -> None:
        self._stored: dict[str, str] = {}

    def outgoing(self, command: Command) -> Command:
        """The command as the real Redis gets it."""
        name = command[0].upper()
        if name in {b"EVAL", b"EVAL_RO"} and len(command) > 1:
            return [b"EVAL", self._plain(command[1]), *command[2:]]
        if name in {b"EVALSHA", b"EVALSHA_RO"} and len(command) > 1:
            return [b"EVALSHA", self._known(command[1]), *command[2:]]
        if name == b"SCRIPT" and len(command) > 2:  # noqa: PLR2004 - SCRIPT LOAD body
            action = command[1].upper()
            if action == b"LOAD":
                return [*command[:2], self._plain(command[2]), *command[3:]]
            if action == b"EXISTS":
                return [*command[:2], *(self._known(sha) for sha in command[2:])]
        return command

    def incoming(self, command: Command, reply: Reply) -> Reply:
        """The reply as the caller expects it: SCRIPT LOAD gives the hash of the caller's script."""
        loads = [part.upper() for part in command[:2]] == [b"SCRIPT", b"LOAD"]
        return _sha1(command[2]).encode() if loads and isinstance(reply, bytes) else reply

    def _plain(self, script: bytes) -> bytes:
        if not script.startswith(_SHEBANG):
            return script
        plain = script.partition(b"\n")[2]
        self._stored[_sha1(script)] = _sha1(plain)
        return plain

    def _known(self, sha: bytes) -> bytes:
        return self._stored.get(sha.decode(errors="replace").lower(), "").encode() or sha


def _sha1(script: bytes) -> str:
    return hashlib.sha1(script, usedforsecurity=False).hexdigest()


def parse_command(value: Any) -> Command:
    """A command from JSON: a list of strings and numbers.

    Raises:
        BadCommandError: it is no such list, or the command is not offered over REST.
    """
    if not isinstance(value, list) or not value:
        raise BadCommandError("ERR failed to parse command")
    command = [_argument(part) for part in value]
    name = command[0].decode(errors="replace").upper()
    if name in UNSUPPORTED:
        raise BadCommandError(f"ERR Command is not available: '{name}'")
    return command


def _argument(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int | float):
        return str(value).encode()
    raise BadCommandError("ERR failed to parse command")


def result_value(reply: Reply, *, encoded: bool) -> Any:
    """A reply as JSON; with `encoded` every string but OK is base64, numbers and null are not."""
    if isinstance(reply, list):
        return [result_value(item, encoded=encoded) for item in reply]
    if isinstance(reply, RedisError):
        return reply.message
    if isinstance(reply, Status):
        if encoded and reply.text != "OK":
            return base64.b64encode(reply.text.encode()).decode()
        return reply.text
    if isinstance(reply, bytes):
        return base64.b64encode(reply).decode() if encoded else reply.decode(errors="replace")
    return reply


def result_object(reply: Reply, *, encoded: bool) -> dict[str, Any]:
    """`{"result"}` or, never encoded, `{"error"}`."""
    if isinstance(reply, RedisError):
        return {"error": reply.message}
    return {"result": result_value(reply, encoded=encoded)}


def resp2(reply: Reply) -> bytes:
    """A reply in Redis's own form, for `Upstash-Response-Format: resp2`."""
    if isinstance(reply, list):
        return b"*%d\r\n" % len(reply) + b"".join(resp2(item) for item in reply)
    if isinstance(reply, RedisError):
        return b"-" + reply.message.encode() + b"\r\n"
    if isinstance(reply, Status):
        return b"+" + reply.text.encode() + b"\r\n"
    if isinstance(reply, bytes):
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    return b"$-1\r\n" if reply is None else b":%d\r\n" % reply
