"""Data from elsewhere: fetched, checked, unpacked safely, and whole or not there at all."""
