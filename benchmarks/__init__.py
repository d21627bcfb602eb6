"""Measurements that are run by hand and quoted in the documentation."""
