"""The commands of `python -m analysis`, one a module: `add` makes its parser, `answer` does the work.

What a command needs of other packages comes as `joined.Joined` from `analysis.__main__`, which alone imports them.
"""
