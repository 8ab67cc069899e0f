"""What trains the bundled starter model, from its teachers to its card."""
