"""Random meshes and requests, on which all engines must agree with the router."""
