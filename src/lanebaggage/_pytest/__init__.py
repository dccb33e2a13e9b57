"""What the pytest plugin is made of: markers and options, the meshes of a session, and what is added to reports."""
