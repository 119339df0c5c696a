"""Field work: installers, appointments, exchanges. Not built yet."""
