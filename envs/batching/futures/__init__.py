"""What may still come, drawn anew: what is honest to plan with."""
