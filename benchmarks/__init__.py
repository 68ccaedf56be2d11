"""How fast the gateway is, as ratios to servers that do only the unavoidable part of the same work."""
