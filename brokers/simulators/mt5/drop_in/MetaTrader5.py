"""Stand in for the real package, so that a program that imports MetaTrader5 runs unchanged on Linux."""  # noqa: N999

from brokers.simulators.mt5 import metatrader5
from brokers.simulators.mt5.metatrader5 import *  # noqa: F403

__version__ = metatrader5.__version__
