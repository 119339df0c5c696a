"""The simulated territory: homes, weather, feeder, faults and meters, all from one seed. Nothing outside reads it."""
