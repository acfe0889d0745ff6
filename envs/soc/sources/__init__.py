"""Where instances come from: formats, profiles and graph shapes of others, chance, perturbations."""
