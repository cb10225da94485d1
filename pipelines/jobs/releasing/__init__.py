"""A week to the public: what may leave the house, and the files that do."""
