"""The edges: vendors in, desktops and databases out, and the log between them.

Imports nothing of `flows`, `analytics` or `tokenweir`.
"""
