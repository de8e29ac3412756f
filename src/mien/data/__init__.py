"""Published dataset layouts, transforms, alignment geometry and synthetic faces."""
