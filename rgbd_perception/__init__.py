"""RGB-D perception for ROS 2: dense text-aligned embeddings, a voxel map, answers in milliseconds.

The core runs without ROS and without torch imported: heavy modules are loaded when they are first used.
"""

__version__ = "0.1.0"
