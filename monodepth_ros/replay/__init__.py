"""A bag through estimator and tracker, offline."""
