"""Mirrors of runs in object storage: uploads, the lease that allows one trainer at a time, and downloads."""
