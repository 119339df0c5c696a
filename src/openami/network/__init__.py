"""From the meter to the durable stream: collector, link and gateway. Carries sealed frames that it cannot open."""
