"""From stored pixel data to grey: codecs, layouts, colours, video, plain pictures."""
