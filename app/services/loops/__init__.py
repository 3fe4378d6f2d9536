"""Run the strategies of many users in one thread: hub, user loops, watchdog, shard host."""
