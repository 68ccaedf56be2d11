"""Log lines: a fixed event name and keys, for people on a terminal and as JSON elsewhere."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import TextIO, cast

import structlog

from gateway.settings import LogSettings

# The id of the request that is being handled; None in background work.
REQUEST: ContextVar[str | None] = ContextVar("request", default=None)


def _name_request(logger: object, name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if (request := REQUEST.get()) is not None:
        event["request"] = request
    return event


class _StandardError:
    """Whatever standard error is at the moment of writing."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure_logging(settings: LogSettings, *, for_good: bool = False) -> None:
    """Route structlog and the standard library's loggers to standard error in the configured form.

    `for_good` lets loggers remember it, which makes them faster: for a process that serves.
    """
    console = settings.format == "console" or (settings.format == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        _name_request,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if console
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _StandardError())),
        cache_logger_on_first_use=for_good,
    )
    handler = logging.StreamHandler(cast(TextIO, _StandardError()))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
