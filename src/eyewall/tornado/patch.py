"""Importing this makes `import tornado` give Eyewall's modules for the rest of the program.

Example:
    >>> import eyewall.tornado.patch  # doctest: +SKIP
    >>> import tornado.web  # doctest: +SKIP
"""

from eyewall.tornado.install import install

install()
