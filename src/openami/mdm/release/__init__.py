"""Group usage for people outside: only totals that tell nothing of anyone in the group, alone or put together."""
