"""The rules of the Experience API, versions 1.0.3 and 2.0 (IEEE 9274.1.1). Performs no I/O."""
