"""A whole fleet's local day at once: columns from the store to the kernel and back, without a step per meter.

Most days of most meters are plain: one meter hung there all day, every interval came, and the register was read at
both midnights. Those are settled here, a shard of meters at a time. What is left goes to the careful road
(:mod:`openami.mdm.validation.run`), which gives for plain days the same versions and findings; a test holds that.
"""
