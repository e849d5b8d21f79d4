"""The import names that job files of Nautobot and of Bots Scheduler carry, where none of these is installed.

`finder` serves them from the folder `served`; what stands here beside it is what the modules in there share.
"""
