"""What may be said of the rows: means, comparisons, rivals, verdicts, sentences."""
