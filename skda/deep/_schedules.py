"""Factors of the learning rate and of the alignment weight in the course of the training."""

import math


def sigmoid_schedule(progress, gamma=10.0):
    """Return DANN's factor 2/(1 + exp(-gamma p)) - 1, which grows from 0 to 1 (Ganin 2016)."""
    return 2.0 / (1.0 + math.exp(-gamma * progress)) - 1.0


def annealed(progress):
    """Return DANN's factor of the learning rate, 1/(1 + 10 p)^0.75 (Ganin 2016)."""
    return (1.0 + 10.0 * progress) ** -0.75


def cosine(progress):
    """Return the factor of the learning rate that falls from 1 to 0 along half a cosine."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


LR_SCHEDULES = {"anneal": annealed, "cosine": cosine, "constant": None}


def schedule_of(schedule):
    """Return the function of the progress that a schedule stands for; None is constant."""
    if callable(schedule):
        return schedule
    return {"constant": None, "sigmoid": sigmoid_schedule}[schedule]
