"""Who may use a client: rules an operator writes down, judged, and said back in words.

``model`` has the records, ``reading`` makes them of a JSON document, ``rules`` puts together those
that hold for a client, ``judging`` decides, ``words`` says both a policy and a refusal so that
people understand it, ``explaining`` tells an operator of a decision rule by rule.
"""
