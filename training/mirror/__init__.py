"""Mirrors of runs in object storage: what is uploaded, who may, and the way back."""
