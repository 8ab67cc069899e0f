"""The fast path on a CPU: models exported from torch once a machine, and run by OpenVINO."""
