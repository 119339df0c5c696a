"""Which events of meters call people, and how a storm of them is counted instead of shown one by one (attack A33)."""
