"""Deliveries brought from a bucket to the home, a group at a time."""
