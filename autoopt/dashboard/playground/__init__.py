"""The playground: surfaces of two weights, and how the catalogue's own update rules walk down them."""
