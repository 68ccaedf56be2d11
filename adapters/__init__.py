"""The mapping engine: YAML in, pure functions from vendor payloads to xAPI statements out. Performs no I/O."""
