"""What every page shares: words, charts, drawing."""
