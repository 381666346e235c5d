"""What Zerg costs and how quick it is, measured on real processes. Benchmarks, never tests: CI times nothing."""
