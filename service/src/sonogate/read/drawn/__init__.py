"""What is drawn over a scan: words, calipers, boxes, bars, plates; and the mask of it all."""
