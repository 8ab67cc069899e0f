"""`retrieval bench`: every number that we publish, measured beside what it is compared with."""
