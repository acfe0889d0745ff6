"""Train, judge and ship learned schedulers.

Importing the package registers every domain with Gymnasium, those of other packages included, so
that ``gymnasium.make("graphsched:JobShop-v0")`` works; no domain is imported before it is used.
"""

from graphsched.envs.core.registration import register_domains

__version__ = "0.1.0"

register_domains()
