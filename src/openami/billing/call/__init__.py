"""The answer to a call about a high bill, in words that a person can read out."""
