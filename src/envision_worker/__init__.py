"""Carries tickets between Ensono and a company's own service desk."""
