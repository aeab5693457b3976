"""What tokenweir is measured against: benchmarks/README.md says what each of them does, and what it leaves out."""
