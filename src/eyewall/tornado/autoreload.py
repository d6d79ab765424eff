"""Programs that start anew when a file changes, under Tornado's names."""

from eyewall.ops.autoreload import _reload, add_reload_hook, main, start, wait, watch

__all__ = ["_reload", "add_reload_hook", "main", "start", "wait", "watch"]

if __name__ == "__main__":
    main()
