"""Starting anew when files change."""
