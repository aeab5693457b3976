"""What happens to a stream: the cores that think and the dataflows that run them.

Imports `connectors`; never `analytics` or `tokenweir`.
"""
