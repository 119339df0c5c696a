"""Settings, wiring, command line and processes: the one place that knows every room."""
