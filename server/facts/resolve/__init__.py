"""How attributes across rows are settled: pure."""
