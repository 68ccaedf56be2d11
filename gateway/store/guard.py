"""Ends a `mongod` when its last user has ended, however that user ended. Run as a script, never imported.

    python -I -S guard.py USERS_LOCK SERVER_FD PORT MONGOD ARGUMENT...

Every process that uses the server keeps a shared lock on USERS_LOCK; the kernel drops it with the process,
`kill -9` included. This process starts the server and waits for the exclusive lock: getting it means that
nobody is left, and the server is stopped. SERVER_FD is an open file with an exclusive lock that the server
inherits, so that the lock lasts exactly as long as the server does; `PID PORT` is written into that file.

Both run in a session of their own: a Ctrl-C on the terminal reaches the gateway only, which drains first.
Imports the standard library only and no package of the gateway, so it starts in some 30 ms and stays small.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import sys
import threading
import time

STOP_SECONDS = 60.0
"""A clean stop takes a second or two; after this long the journal is the better way out."""


def stop_after_last_user(users_lock: str, pid: int) -> None:
    users = os.open(users_lock, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(users, fcntl.LOCK_EX)
    # The lock is kept until this process ends: who comes meanwhile waits, and then starts a new server.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        time.sleep(STOP_SECONDS)
        os.kill(pid, signal.SIGKILL)


def guard(users_lock: str, server: int, port: int, command: list[str]) -> None:
    os.setsid()
    os.umask(0o077)
    # Each collection and index is an open file; the usual soft limit of 1024 is reached by some tenants.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # An unknown locale in the environment keeps mongod from starting.
    environment = {**os.environ, "LC_ALL": "C"}
    pid = os.posix_spawn(command[0], command, environment)
    os.pwrite(server, f"{pid:>10} {port:>5}\n".encode(), 0)
    os.close(server)
    threading.Thread(target=stop_after_last_user, args=(users_lock, pid), daemon=True).start()
    os.waitpid(pid, 0)


def main() -> None:
    _, users_lock, server, port, *command = sys.argv
    # The process that asked for the server waits for this first one only, and never has to reap the second.
    if os.fork() == 0:
        try:
            guard(users_lock, int(server), int(port), command)
        except OSError as error:
            os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        finally:
            os._exit(0)


if __name__ == "__main__":
    main()
