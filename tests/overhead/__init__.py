"""What lanebaggage costs, held by counts that noise cannot change."""
