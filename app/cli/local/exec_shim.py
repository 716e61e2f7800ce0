"""Stands between the supervisor and a child: drops root, ties the child to its parent, execs.

Run as a script, `python -I -S exec_shim.py PARENT_PID SIGNAL UID GID COMMAND…`, so it imports
nothing of ours and costs some 15 ms. UID and GID of -1 keep the caller's.
"""

import contextlib
import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def drop_privileges(uid: int, gid: int) -> None:
    """Become `uid`:`gid` for good, without supplementary groups."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def die_with_parent(parent_pid: int, signal_number: int) -> None:
    """Ask the kernel for `signal_number` when the parent dies (Linux; elsewhere a no-op).

    Set after the privileges are dropped, because a change of user clears it. A parent that died
    before the call is noticed by its pid.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit(1)


def main(argv: list[str]) -> None:
    """Parse the five fixed arguments and become the command."""
    parent_pid, signal_number, uid, gid = (int(value) for value in argv[:4])
    command = argv[4:]
    if uid >= 0:
        drop_privileges(uid, gid)
    die_with_parent(parent_pid, signal_number)
    os.execvp(command[0], command)  # noqa: S606 - replacing this process is the purpose


if __name__ == "__main__":
    main(sys.argv[1:])
