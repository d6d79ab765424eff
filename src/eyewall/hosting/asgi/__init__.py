"""ASGI 3: its programs inside Eyewall, and Eyewall's inside its servers."""
