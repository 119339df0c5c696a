"""Keys as people work them: the root key, rotation, groups and the desk of keys."""
