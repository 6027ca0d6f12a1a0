"""A soak: people use a broker that is hurt at random, and their histories are judged afterwards."""
