"""The expression language of mappings: text to syntax tree to closures. Small, total and pure.

A program cannot loop, recurse, assign, read a clock or reach anything outside the names it is given. `None`
is *absent*: a missing key, an index out of range, a step into a scalar and JSON `null` are the same.
"""
