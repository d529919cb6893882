"""From a verdict to its study's state: what came, what to re-acquire, whether one may close."""
