"""xapi-gateway: a Learning Record Store, a vendor adapter hub and a cmi5 LMS back end in front of MongoDB."""

__version__ = "0.1.0"
