"""A small multimodal language model that answers questions about clean ultrasound pictures.

Transformers' own Qwen2-VL classes in a tiny configuration, a tokenizer of a few hundred words, and
questions whose answers the collection's labels and outlines give.
"""
