"""What `./errand soak` does for as long as one likes: break Errand at random, and count what became untrue.

Stands above all rooms, as the measures do; of the rooms only its command, `webapp.cli.soak`, imports it.
"""
