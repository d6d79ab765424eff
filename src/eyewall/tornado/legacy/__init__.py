"""What only programs written for Tornado need."""
