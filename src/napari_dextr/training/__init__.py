"""Training: crop stores, simulated prompts, losses and a loop that resumes where it stopped."""
