"""pytest fixtures over lanebaggage.mesh."""
