"""Test cases beside a mapping: samples as a vendor sends them, and what has to come of them."""
