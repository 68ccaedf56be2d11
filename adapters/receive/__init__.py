"""Receiving: who sent a request, handshakes, the payload. Pure; secrets and clock are arguments."""
