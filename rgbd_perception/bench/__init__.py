"""What the voxel map costs and how true its answers stay, beside its peers and the limits of the machine."""
