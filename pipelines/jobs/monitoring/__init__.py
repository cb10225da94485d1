"""What is told of runs: status, notices, metrics, and the record that each run leaves."""
