"""Runs the conformance suite of the Advanced Distributed Learning Initiative, where it is installed."""
