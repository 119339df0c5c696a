"""Values that every room shares: time, ids, quantities, money, findings. Knows no room and no library."""
