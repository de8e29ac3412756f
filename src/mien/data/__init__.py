"""Published dataset layouts, transforms, alignment geometry and drawn faces."""
