"""Statement templates: YAML shaped like its result, compiled to closures."""
