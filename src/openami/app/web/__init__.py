"""The wiring of the portal: each room's face behind the port that the portal asks."""
