"""Trade on paper: an exchange process of our own on loopback, and the adapter that talks to it alone."""
