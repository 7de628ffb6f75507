"""Maps in the formats of other programs: point clouds, occupancy grids, objects. One format in each file."""
