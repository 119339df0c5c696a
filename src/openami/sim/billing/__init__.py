"""A utility's customers over the months of a billing cycle, with the truth beside what its systems hear of it."""
