"""What several domains are made with: charts, linear rules, reading of files, perturbations."""
