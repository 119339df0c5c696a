"""Another system's bills against ours: computed again from intervals, every difference with one cause and dollars."""
