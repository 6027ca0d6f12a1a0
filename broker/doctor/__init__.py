"""Looking at a deployment from outside, as the services downstream of it do.

Nothing of the broker runs in here: what is judged is what came over HTTP, whoever answered.
``gathering`` asks, ``checks`` judge what was recorded (pure functions), ``examine`` lines them up.
"""
