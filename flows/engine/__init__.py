"""All that runs the cores: Bytewax's steps over them, the shards, the recovery store, and what a start checks."""
