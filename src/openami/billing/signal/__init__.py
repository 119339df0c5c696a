"""What rates follow beside intervals: events, price series and peaks of the system, as they were stated and when."""
