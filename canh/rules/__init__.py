"""The longer verbs of `canh rules`, one module each: `arguments(verbs)` and `run(args, ctx) -> int`."""
