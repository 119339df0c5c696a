"""Where each figure of a bill comes from: line, clause, interval, reading, sealed frame; and where that ends."""
