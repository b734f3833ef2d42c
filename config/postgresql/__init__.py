"""Django's backend for PostgreSQL, with this product's idea of a connection that is of use."""
