"""Benchmarks that anyone can run: ``openami bench NAME``. They print machine, durability and ratio; no test times."""
