"""A month of billing cycles on the real engines, judged against a world whose truth is known."""
