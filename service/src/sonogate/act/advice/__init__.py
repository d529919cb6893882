"""Ask a vision-language model about weak images; what it says stands beside a verdict, never in it.

`adviser` asks and keeps, `endpoint` and `local` are the ways to a model, `plates` draws what it is
shown, `prompts` holds what it is told, `answers` reads what it says.
"""
