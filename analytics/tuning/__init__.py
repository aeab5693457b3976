"""The tuner: what the windows' settings would have done to recorded streams, and which of them serve a goal best.

streams  what is tuned on              tables, limits, hold  what is known of a batch before any setting is
grid     what is tried                 walk, count           a batch under all settings
goal     what is wanted                tuner, figures        all batches, and how sure
advice   front and recommendation      page                  the HTML page
                                       plain                 the same through the operators, to hold all this against
"""
