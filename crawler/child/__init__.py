"""The crawler process of a worker: takes slices and check rounds of sites over a pipe."""
