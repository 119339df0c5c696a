"""What a customer reads of a bill: one statement in words and numbers, shown as a page and set as a PDF."""
