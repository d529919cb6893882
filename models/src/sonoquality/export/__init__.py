"""Write what ships as ONNX graphs: the encoder, the density head, the DCT manifold."""
