"""Sessions with meters: what is said in them, the way down and home, and the shell that runs them for a group."""
