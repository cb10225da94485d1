"""What is erased: kept out by marks, counted still, and gone from every byte of the records."""
