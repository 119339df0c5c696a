"""The simulated territory of a home: its files, memory, radio and counted airtime."""
