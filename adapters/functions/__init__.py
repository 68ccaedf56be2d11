"""The functions of the expression language, one module a group: all pure, deterministic and size-capped."""

from __future__ import annotations

from adapters.functions import ids, lists, numbers, receiver, text, times, values, xapi
from adapters.functions.registry import FUNCTIONS, Function

__all__ = ["FUNCTIONS", "Function", "ids", "lists", "numbers", "receiver", "text", "times", "values", "xapi"]
