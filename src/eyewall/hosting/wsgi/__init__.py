"""WSGI (PEP 3333): its programs inside Eyewall, and Eyewall's inside its servers."""
