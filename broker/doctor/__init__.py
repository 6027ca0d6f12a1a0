"""Looking at a deployment from outside, as the services downstream of it do.

Nothing of the broker runs for that: what is judged is what came over HTTP, whoever answered.
``gathering`` asks, ``checks`` judge what was recorded (pure functions), ``examine`` lines them up;
``watching`` goes on looking at the keys, ``provider`` judges what Discord demands of a provider.
``installation`` alone looks from inside, at settings and stores, before it goes out by the door.
"""
