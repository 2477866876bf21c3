"""What the days ahead hold: forecasts of a station with their doubt, and the budget of its month."""
