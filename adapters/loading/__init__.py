"""From the text of a mapping file to a compiled mapping, with everything wrong told at its place."""
