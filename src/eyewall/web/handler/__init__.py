"""Request handlers, built as one chain: input, output, handler, life cycle."""
