"""What commands leave in the audit log: one entry for each that changed something.

Which command runs is known to click, so that a new one cannot be forgotten: whatever does not only look by
its name has changed something when it ends well.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping
from typing import Any

import click

from gateway.services.audit import Audit, Kind
from gateway.settings import Settings

# Commands that look, by their last word; the gateway itself and what only tries.
LOOKING = frozenset(
    {
        "serve",
        "demo",
        "doctor",
        "list",
        "show",
        "check",
        "lint",
        "files",
        "versions",
        "replays",
        "links",
        "notices",
        "revisions",
        "shadow",
        "status",
        "export",
        "session",
        "sessions",
        "progress",
    }
)
# Those which show records of learners.
PERSONAL = frozenset(
    {
        "statements export",
        "deliveries show",
        "registrations list",
        "registrations show",
        "registrations session",
        "registrations sessions",
        "registrations progress",
        "directory list",
    }
)
# Commands that look where this option is not given.
_LOOK_WITHOUT: Mapping[str, tuple[str, ...]] = {
    "courses overrides": ("text",),
    "registrations overrides": ("text",),
    "registrations preferences": ("languages", "audio", "clear"),
}
_OBJECTS = (
    "login",
    "key",
    "adapter",
    "course",
    "registration",
    "session",
    "delivery",
    "subscription",
    "notice",
    "link",
    "source",
)
_DETAIL = ("roles", "scopes", "subject", "version", "au", "force", "replace")
_NOTED, _NOTHING = "gateway.audit", "gateway.audit.nothing"


def tell(**objects: str) -> None:
    """Say which objects a command made, for its entry."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta.setdefault(_NOTED, {}).update(objects)


def nothing_changed() -> None:
    """Say that a command changed nothing, although it is one that does."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_NOTHING] = True


async def record_command(log: Audit, settings: Settings) -> None:
    """Add the entry of the command that runs, unless it only looked."""
    context = click.get_current_context(silent=True)
    if context is None or context.meta.get(_NOTHING):
        return
    command = " ".join(context.command_path.split()[1:])
    given = {name: value for name, value in context.params.items() if value not in (None, (), False, "")}
    if looks(command, given):
        if command not in PERSONAL or not log.notes_reads:
            return
        action = f"{command.replace(' ', '.')}.read"
    else:
        action = command.replace(" ", ".")
    store = given.get("store")
    await log.record(
        store=store if store in settings.stores.names else settings.stores.default,
        kind=Kind.COMMAND_LINE,
        actor=account(),
        action=action,
        objects={
            **{name: str(given[name]) for name in _OBJECTS if name in given},
            **context.meta.get(_NOTED, {}),
        },
        detail={name: _plain(given[name]) for name in _DETAIL if name in given},
    )


def looks(command: str, given: dict[str, Any]) -> bool:
    """Whether a command only looks; `given` are its parameters that were given."""
    if command.rpartition(" ")[2] in LOOKING or given.get("dry_run"):
        return True
    needed = _LOOK_WITHOUT.get(command)
    return needed is not None and not any(name in given for name in needed)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value if isinstance(value, bool) else str(value)


def account() -> str:
    """Whose command it is, as the machine knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # containers run as numbers without a name
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "unknown"
