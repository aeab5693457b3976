"""What it costs: benchmarks/README.md."""
