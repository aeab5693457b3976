"""The other side of a service under load: vendors, desktops and callers on loopback, and what is measured of it."""
