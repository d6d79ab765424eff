"""`python -m eyewall` is the `eyewall` command."""

from eyewall.cli.main import main

if __name__ == "__main__":
    main()
