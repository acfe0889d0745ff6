"""What several domains are made with: linear rules, perturbations."""
