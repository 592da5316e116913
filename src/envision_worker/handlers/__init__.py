"""What each transaction type does on the desk."""
