"""The rules of cmi5 (Quartz) for the LMS side. Performs no I/O."""
