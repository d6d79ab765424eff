"""Other loops and resolvers, under Tornado's names."""
