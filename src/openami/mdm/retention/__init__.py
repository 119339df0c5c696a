"""How long readings are kept: dated rules by table, and what must stay whatever a rule says."""
