"""Join the parts into the jobs people come with: calibrate a bank, score candidates, compare a pool with a role."""
