"""What codecs cost, as a table: operations and parameters by either convention, and speed."""
