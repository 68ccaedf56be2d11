"""Words for verbs, activity types and extensions, with the profiles that define them."""
