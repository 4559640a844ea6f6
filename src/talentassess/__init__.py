"""talentassess: psychometric engine for talent assessment."""
