"""What every layer may use: errors, logging, text transforms."""
