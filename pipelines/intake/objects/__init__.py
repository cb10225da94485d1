"""Deliveries that lie in a bucket, under an s3:// address."""
