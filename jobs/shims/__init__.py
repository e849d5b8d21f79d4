"""The import names that job files of Nautobot carry, where neither it nor Django nor Celery is installed.

`finder` serves them from the folder `served`; what stands here beside it is what the modules in there share.
"""
