"""Speak with Kotak Neo through its own client library, `kotakneoapi` 3.0.9."""
